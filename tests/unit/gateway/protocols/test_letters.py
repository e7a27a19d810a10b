"""Letters that tokenizers write out longer are held as they write them."""

from unicodedata import normalize

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mizzen_gateway.protocols.openai.call import OpenAICall, parse
from mizzen_gateway.protocols.openai.letters import grows_by, plain_growth
from mizzen_gateway.routing.deployment import DeploymentFacts
from mizzen_gateway.routing.load import LoadBook
from mizzen_gateway.routing.target import Target
from mizzen_gateway.wire.request import Request

GROWING = "½\u0130\u0344\u0385\u0958\u09df\u0a5e\u0b5d\u0f73\u2057\u2167⒇⫝̸㌖㌀㈝\ufa6c\ufb2c\ufb4e\ufdfa\U0001d160"
TARGET = Target(DeploymentFacts(("default", "m"), names=("m",)), LoadBook())


def longest(text: str) -> int:
    return max(len(normalize("NFC", text).encode()), len(normalize("NFKC", text)), len(text.lower().encode()))


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=40) | st.text(GROWING + "aé字", max_size=40), escaped=st.booleans())
def test_no_form_of_a_text_is_longer_than_what_is_reserved(text: str, escaped: bool) -> None:
    message = [{"role": "user", "content": text}]
    raw = orjson.dumps({"model": "m", "messages": message})
    shortest = len(orjson.dumps({"model": "m", "messages": [{"role": "user", "content": ""}]}))
    if escaped:
        raw = raw.replace(orjson.dumps(text), _with_escapes(text))
    assert longest(text) <= reserved(raw) - shortest - reserved_for_nothing()


def reserved(raw: bytes, operation: str = "chat.completions") -> int:
    """Under a hard budget."""
    call = parse(operation, Request(b"POST", b"/", b"/", {}, True, True, body=raw))
    assert isinstance(call, OpenAICall)
    estimate = call.estimate(TARGET)
    if estimate.closer_input is None:
        return estimate.input_tokens
    assert estimate.closer_input() >= estimate.input_tokens
    return estimate.closer_input()


def reserved_for_nothing() -> int:
    """Beside the text and its JSON."""
    raw = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": ""}]})
    return reserved(raw) - len(raw)


def _with_escapes(text: str) -> bytes:
    units = text.encode("utf-16-be")
    return b'"' + b"".join(b"\\u%02x%02x" % (units[i], units[i + 1]) for i in range(0, len(units), 2)) + b'"'


@pytest.mark.parametrize("letter", sorted(set(GROWING)))
def test_each_is_known(letter: str) -> None:
    assert plain_growth(orjson.dumps({"a": letter * 3})) == 3 * max(grows_by(letter), 0)


@pytest.mark.parametrize("text", ["plain", "字" * 99, "für, слово, かな", "\n\t\\"])
def test_most_texts_do_not_grow(text: str) -> None:
    assert plain_growth(orjson.dumps({"a": text})) == 0


def test_a_prompt_of_such_letters_is_reserved_as_an_engine_counts_it() -> None:
    text = "\U0001d160" * 1000
    raw = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": text}]})
    assert reserved(raw) >= len(normalize("NFC", text).encode()) == 12_000
    one = orjson.dumps({"model": "m", "query": "q", "documents": [text] * 3})
    assert reserved(one, "rerank") >= 3 * 12_000
