"""What a chat template adds is within what is reserved for it, by tokens that a real one was measured to add.

Measured with the tokenizer (of tokenizers 0.23) and chat template of SmolLM2-135M-Instruct, which writes a system
prompt of its own where the caller has none, and opens the answer. The table of others names the longest-winded of 69
public templates in each respect, rendered as vLLM renders them and counted with the same tokenizer.
"""

from dataclasses import dataclass
from itertools import pairwise

import orjson
import pytest
from mizzen_gateway.protocols.openai.bounds import INSTRUCTION_TOKENS, MESSAGE_TOKENS, TEMPLATE_TOKENS, TOOL_TOKENS
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


@dataclass(frozen=True)
class Template:
    """Tokens that a public template was measured to add."""

    name: str
    system: int
    """To the conversation of one message, the answer's opening included."""
    turn: float
    """For each further message, its one letter included."""
    tools: int = 0
    """To a conversation with one tool, beside the tool's JSON."""
    tool: int = 0
    """For each further tool, beside its JSON."""
    documents: int = 0
    """To a conversation with one document."""


PUBLIC = (
    Template("Devstral-Small-2507", 1335, 6.0, 20),
    Template("GigaChat3-10B-A1.8B", 1101, 19.5),
    Template("c4ai-command-r7b-12-2024", 589, 39.0, 765, 0, 1148),
    Template("Mistral-Small-3.2-24B-Instruct-2506", 549, 6.0, 20),
    Template("c4ai-command-r-plus", 548, 31.0),
    Template("SmolLM3-3B", 244, 6.5),
    Template("Cohere2MoE", 227, 43.0, 0, 0, 378),
    Template("MiniMax-M3", 226, 14.5, 353),
    Template("Hermes-3-Llama-3.1-8B", 214, 6.5, 15, 17),
    Template("functionary-medium-v3.1", 93, 29.5, 341, 144),
    Template("Kimi-K3", 153, 54.5, 53),
    Template("Llama-3.3-70B-Instruct", 106, 29.5, 91, 29),
    Template("gemma-4-31B-it", 30, 12.0, 43, 32),
    Template("Qwen3-Coder", 10, 6.5, 259, 17),
)
SHORT_TURN = len(b'{"role":"user","content":"a"},')
DOCUMENT = len(b'[{"title":"t","text":"x"}]')
TOOL_JSON = 182
"""Bytes of the tool measured; what is reserved for its growth is as much twice at least."""


@pytest.mark.parametrize("public", PUBLIC, ids=lambda one: one.name)
def test_public_templates_are_within_what_is_reserved_for_them(public: Template) -> None:
    assert public.turn <= MESSAGE_TOKENS + SHORT_TURN
    assert public.tools <= INSTRUCTION_TOKENS
    assert public.tool <= TOOL_TOKENS + 2 * TOOL_JSON
    assert public.documents <= INSTRUCTION_TOKENS + TOOL_TOKENS + DOCUMENT


@pytest.mark.parametrize("public", PUBLIC, ids=lambda one: one.name)
def test_what_a_template_was_measured_to_add_is_reserved(public: Template) -> None:
    raw = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": "a"}]})
    call = parse("chat.completions", Request(b"POST", b"/", b"/", {}, True, True, body=raw))
    assert not isinstance(call, Refusal)
    target = Target(DeploymentFacts(("default", "m"), names=("m",)), LoadBook())
    assert (call.estimate(target).input_tokens - len(raw) >= public.system) == (public.system < TEMPLATE_TOKENS)
    target.templates["r1"] = public.system
    assert call.estimate(target).input_tokens >= public.system + len(raw)
