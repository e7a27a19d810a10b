"""What a chat template adds is within what is reserved for it, by tokens that a real one was measured to add.

Measured with the tokenizer (of tokenizers 0.23) and chat template of SmolLM2-135M-Instruct, which writes a system
prompt of its own where the caller has none, and opens the answer.
"""

from dataclasses import dataclass
from itertools import pairwise

import orjson
import pytest
from mizzen_gateway.protocols.openai.bounds import MESSAGE_TOKENS, TEMPLATE_TOKENS
from mizzen_gateway.protocols.openai.call import parse
from mizzen_gateway.routing.deployment import DeploymentFacts
from mizzen_gateway.routing.load import LoadBook
from mizzen_gateway.routing.target import Target
from mizzen_gateway.stages import Refusal
from mizzen_gateway.wire.request import Request


@dataclass(frozen=True)
class Measured:
    """A conversation, as the tokenizer counted it."""

    turns: tuple[tuple[str, str], ...]
    whole: int
    """Tokens of what the template makes of it."""
    contents: int
    """Tokens of its contents, each alone."""


MEASURED = (
    Measured((("user", "hi"),), 31, 1),
    Measured((("user", "hi"), ("assistant", "yes"), ("user", "go")), 44, 3),
    Measured((("user", "a"), ("assistant", "b")) * 10, 155, 20),
    Measured((("system", "s"), ("user", "hi")), 16, 2),
    Measured((("user", ""),) * 3, 40, 0),
    Measured((("user", "你好，世界"),), 40, 10),
    Measured((("user", "👩‍👩‍👧‍👦"),), 48, 18),
    Measured((("user", '"\\\n\t"'),), 34, 4),
)


@pytest.mark.parametrize("measured", MEASURED)
def test_a_conversation_is_within_what_is_reserved(measured: Measured) -> None:
    messages = [{"role": role, "content": content} for role, content in measured.turns]
    raw = orjson.dumps({"model": "m", "messages": messages})
    call = parse("chat.completions", Request(b"POST", b"/", b"/", {}, True, True, body=raw))
    assert not isinstance(call, Refusal)
    bound = call.estimate(Target(DeploymentFacts(("default", "m"), names=("m",)), LoadBook())).input_tokens
    assert measured.whole <= bound
    contents = sum(len(content.encode()) for _, content in measured.turns)
    assert measured.whole - measured.contents <= bound - len(raw), "the texts' own bytes pay for nothing else"
    assert measured.contents <= contents, "a token is a byte at least"


def test_each_constant_is_enough_for_what_it_stands_for() -> None:
    growing = [(len(one.turns), one.whole - one.contents) for one in MEASURED[:3]]
    each = [(more - less) / (many - few) for (few, less), (many, more) in pairwise(growing)]
    assert 5 <= max(each) <= MESSAGE_TOKENS
    ones, added = growing[0]
    around = added - ones * max(each)
    assert 20 <= around <= TEMPLATE_TOKENS
