"""JSON in pieces, however it is cut: read as what it is, and what is none is refused."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mizzen_gateway.discovery.json_pieces import JsonPieces, NotJsonError

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def cut(raw: bytes, chance: random.Random) -> Iterator[bytes]:
    """Pieces of a few bytes, also within a character."""
    while raw:
        size = chance.randint(1, 9)
        yield raw[:size]
        raw = raw[size:]


def whole(text: JsonPieces) -> Any:
    """What is there, read member by member and element by element at the top."""
    if text.next_sign() == "{":
        found: Any = {name: text.value() for name in text.members()}
    elif text.next_sign() == "[":
        found = [text.value() for _ in text.elements()]
    else:
        found = text.value()
    text.end()
    return found


@given(VALUES, st.booleans(), st.sampled_from((None, 2)), st.randoms(use_true_random=False))
def test_a_document_is_read_alike_however_it_is_cut(
    value: Any, escaped: bool, indent: int | None, chance: random.Random
) -> None:
    raw = json.dumps(value, ensure_ascii=escaped, indent=indent).encode()
    assert whole(JsonPieces(cut(raw, chance))) == value


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"a"',
        b'{"a":',
        b'{"a":1',
        b'{"a":1,}',
        b"{1:2}",
        b"[1",
        b"[1,]",
        b"[1 2]",
        b'{"a" 1}',
        b"[]x",
        b"nul",
        b'{"a":"\xff"}',
        b'["\x01"]',
        b"[1]]",
    ],
)
def test_what_is_not_json_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"byte|codec|utf-8"):
        whole(JsonPieces([raw]))


def test_a_place_is_counted_in_bytes_of_the_whole() -> None:
    text = JsonPieces([b' {"\xc3', b'\xa4":  ', b"[1,", b" 2] }"])
    for name in text.members():
        assert name == "ä"
        assert text.next_sign() == "["
        begin = text.place
        assert text.value() == [1, 2]
        assert (begin, text.place) == (9, 15)
    with pytest.raises(NotJsonError, match="byte 17"):
        text.value()


def test_a_mark_tells_objects_of_different_text_apart_also_where_a_brace_is_within() -> None:
    objects = [b'{"a":"x}y"}', b'{"a":"x}z"}', b'{"a":"x"}']
    marks = []
    for raw in objects:
        text = JsonPieces([raw])
        text.value()
        marks.append(text.mark_of_last)
    assert len(set(marks)) == 3
    assert [JsonPieces([raw]).mark() in marks for raw in objects] == [False, False, True]
