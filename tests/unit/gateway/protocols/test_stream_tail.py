"""Events on their way through: what is forwarded, dropped, renamed and counted, however the bytes are cut."""

import itertools
import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mizzen_gateway.protocols.openai.tail import CHUNKS, EngineSaidError, StreamTail, usage_of
from mizzen_gateway.stages import Usage
from support.scripted_engine import chunk


def event(payload: object, end: bytes = b"\n\n") -> bytes:
    raw = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    return b"data: " + raw + end


def cut(raw: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(raw) + 1) for place in places} | {0, len(raw)})
    return [raw[begin:end] for begin, end in itertools.pairwise(ends)]


def run(tail: StreamTail, pieces: list[bytes]) -> bytes:
    return b"".join([tail.feed(piece) for piece in pieces]) + tail.rest()


TEXTS = st.lists(st.text(max_size=20), max_size=5)
PLACES = st.lists(st.integers(0, 10_000), max_size=12)
ENDS = st.sampled_from([b"\n\n", b"\r\n\r\n"])


@settings(print_blob=True, deadline=None)
@given(TEXTS, PLACES, ENDS)
def test_what_the_caller_gets_does_not_depend_on_how_the_bytes_are_cut(
    texts: list[str], places: list[int], end: bytes
) -> None:
    content = b"".join(event(chunk("m", text), end) for text in texts)
    usage, done = event(chunk("m", None), end), event(b"[DONE]", end)
    pieces = cut(content + usage + done, places)
    tail = StreamTail(False, None, CHUNKS)
    assert run(tail, pieces) == content + done
    assert tail.usage == Usage(7, 3)
    assert tail.events == len(texts), "the usage and the end carry no output"
    assert run(StreamTail(True, None, CHUNKS), pieces) == content + usage + done


@settings(print_blob=True, deadline=None)
@given(TEXTS, PLACES, ENDS, st.sampled_from([(",", ":"), (", ", ": ")]))
def test_a_name_is_replaced_once_an_event_and_never_inside_of_content(
    texts: list[str], places: list[int], end: bytes, separators: tuple[str, str]
) -> None:
    def stream_of(model: str) -> bytes:
        chunks = [chunk(model, text) for text in [*texts, '"model":"inner"', '"model": "inner"']]
        return b"".join(event(json.dumps(one, separators=separators).encode(), end) for one in chunks)

    tail = StreamTail(False, (b'"inner"', b'"public"'), CHUNKS)
    assert run(tail, cut(stream_of("inner"), places)) == stream_of("public")


def test_text_that_looks_like_usage_or_an_error_is_content() -> None:
    raw = event(chunk("m", '"usage":{"prompt_tokens":1} "error":{"message":"x"}'))
    tail = StreamTail(False, None, CHUNKS)
    assert run(tail, [raw]) == raw
    assert tail.usage is None
    assert tail.events == 1


def test_an_error_event_of_the_engine_stops_the_stream() -> None:
    with pytest.raises(EngineSaidError):
        StreamTail(False, None, CHUNKS).feed(event({"error": {"message": "internal"}}))


def test_a_comment_that_keeps_the_connection_alive_passes() -> None:
    assert run(StreamTail(False, None, CHUNKS), [b": ping\n\n"]) == b": ping\n\n"


def test_a_last_event_without_its_blank_line_is_not_lost() -> None:
    assert run(StreamTail(False, None, CHUNKS), [b"data: [DONE]"]) == b"data: [DONE]"


@pytest.mark.parametrize("usage", [{"prompt_tokens": -1}, {"prompt_tokens": "7"}, {"prompt_tokens": True}, [], 5])
def test_usage_that_makes_no_sense_is_not_believed(usage: object) -> None:
    tail = StreamTail(False, None, CHUNKS)
    tail.feed(event({"choices": [], "usage": usage}))
    assert tail.usage is None


@pytest.mark.parametrize("names", [("prompt", "completion"), ("input", "output")])
def test_cached_and_reasoning_tokens_are_told_apart(names: tuple[str, str]) -> None:
    into, out = names
    usage: dict[str, object] = {f"{into}_tokens": 100, f"{out}_tokens": 20}
    usage |= {f"{into}_tokens_details": {"cached_tokens": 64}, f"{out}_tokens_details": {"reasoning_tokens": 12}}
    assert usage_of({"usage": usage}) == Usage(100, 20, cached_tokens=64, reasoning_tokens=12)


@pytest.mark.parametrize(("told", "believed"), [(None, 0), (-1, 0), (True, 0), ("5", 0), (7, 7), (500, 100)])
def test_cached_tokens_are_never_more_than_the_prompt(told: object, believed: int) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": told}}
    assert usage_of({"usage": usage}) == Usage(100, 1, cached_tokens=believed)
