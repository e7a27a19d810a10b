"""Any bytes at the gateway's edges: kept ones are replayed, and new ones are made of good ones."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fuzz_targets import TARGETS, kept, seeds

WORDS = (
    b"\r\n", b"\n\n", b"\r\n\r\n", b"\x00", b"\xff", b"{", b"}", b"[", b"]", b'"', b",", b":", b"0", b"-1", b"1e999",
    b"null", b"true", b"NaN", b'{"a":' * 40, b"[" * 2000, b'"\\ud800"', b'"\xed\xa0\x80"', b"18446744073709551616",
    b"Transfer-Encoding: chunked\r\n", b"Content-Length: 1\r\n", b"HTTP/1.1 ", b"data: ", b'"error"', b'"usage":{',
    b'"model":1', b'"stream":"x"', b'"content":{}', b'"shape":[-1]', b'"parameters":[]', b'"name":null',
)  # fmt: skip


def changed(data: bytes, chance: random.Random) -> bytes:
    """A few bytes put in, taken out or doubled."""
    for _ in range(chance.randint(1, 6)):
        at, way = chance.randrange(len(data) + 1), chance.random()
        if way < 0.5:
            data = data[:at] + chance.choice(WORDS) + data[at:]
        elif way < 0.7:
            data = data[:at] + data[at + chance.randint(1, 8) :]
        elif way < 0.9:
            data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        else:
            data += data[at : at + 40]
    return data


@pytest.mark.parametrize("target", TARGETS)
def test_what_once_broke_something_breaks_nothing(target: str) -> None:
    for data in (*seeds(target), *kept(target)):
        TARGETS[target](data)
    assert list(seeds(target))


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=300, deadline=None, print_blob=True)
@given(seed=st.integers(0, 2**32), noise=st.binary(max_size=60))
def test_no_bytes_break_a_promise(target: str, seed: int, noise: bytes) -> None:
    chance = random.Random(seed)
    TARGETS[target](changed(chance.choice([*seeds(target), *kept(target)]), chance))
    TARGETS[target](noise)
    assert seed >= 0
