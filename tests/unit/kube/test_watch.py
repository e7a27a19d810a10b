"""A watch's bytes come in any pieces; its events do not."""

import asyncio
from itertools import pairwise
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp.base_protocol import BaseProtocol
from hypothesis import given
from hypothesis import strategies as st
from mizzen_kube import watch
from mizzen_kube.errors import GoneError, UnavailableError

TOLD = [("ADDED", {"metadata": {"name": str(number)}}) for number in range(5)]
LINES = b"".join(orjson.dumps({"type": kind, "object": manifest}) + b"\n" for kind, manifest in TOLD)


async def read(chunks: list[bytes], *, ends: bool = True, silence: float = 5.0) -> list[tuple[str, dict[str, Any]]]:
    loop = asyncio.get_running_loop()
    protocol = BaseProtocol(loop)
    protocol.connection_made(asyncio.Transport())
    content = aiohttp.StreamReader(protocol, 2**16, loop=loop)
    for chunk in chunks:
        content.feed_data(chunk)
    if ends:
        content.feed_eof()
    return [event async for event in watch.events(content, "watch /x", silence)]


@given(st.lists(st.integers(1, len(LINES) - 1), max_size=8))
def test_events_are_whole_however_the_bytes_are_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(LINES)]
    chunks = [LINES[start:end] for start, end in pairwise(edges)]
    assert asyncio.run(read(chunks)) == TOLD


async def test_an_end_in_the_middle_of_an_event_is_no_good_end() -> None:
    with pytest.raises(UnavailableError, match="middle of an event"):
        await read([LINES[:-5]])


@pytest.mark.parametrize("line", [b"<html>\n", b'{"type": "ADDED"}\n', b"[]\n", b"null\n"])
async def test_a_line_that_is_no_event_ends_the_watch(line: bytes) -> None:
    with pytest.raises(UnavailableError, match="an event that is none"):
        await read([line])


async def test_an_error_event_is_raised_as_what_it_is() -> None:
    status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version: 1 (7)"}
    with pytest.raises(GoneError, match="too old resource version"):
        await read([orjson.dumps({"type": "ERROR", "object": status}) + b"\n"])


async def test_a_silent_watch_is_taken_for_dead() -> None:
    with pytest.raises(UnavailableError, match="silent"):
        await read([LINES], ends=False, silence=0.01)


async def test_an_event_without_an_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LONGEST_LINE", 100)
    with pytest.raises(UnavailableError, match="more than 100 bytes"):
        await read([b"x" * 101])
