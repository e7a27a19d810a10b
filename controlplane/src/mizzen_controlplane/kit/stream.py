"""How a feed of JSON lines is answered: news as soon as there is any, a heartbeat each second otherwise."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from mizzen_controlplane.kit.change_signals import ChangeSignals

Line = TypeVar("Line", bound=BaseModel | bytes)

NDJSON = "application/x-ndjson"
HEARTBEAT_SECONDS = 1.0
LOOK_SECONDS = 0.25
"""Longest time until a change is seen whose signal was lost, or was made by another replica while not listening."""


async def follow(
    signals: ChangeSignals,
    topic: str,
    news: Callable[[], Awaitable[Sequence[Line]]],
    heartbeat: Callable[[], Awaitable[Line]],
) -> AsyncIterator[Line]:
    """Lines until the process stops: what `news` returns after each change of `topic`, else `heartbeat()` each second.

    `news` keeps its own cursor and returns what the reader has not had yet; it is called at once, first.
    """
    clock = asyncio.get_running_loop().time
    with signals.listening(topic) as woken:
        spoke_at = clock()
        while not signals.ended:
            woken.clear()
            for line in await news():
                yield line
                spoke_at = clock()
            if clock() - spoke_at >= HEARTBEAT_SECONDS:
                yield await heartbeat()
                spoke_at = clock()
            rest = min(LOOK_SECONDS, max(0.0, spoke_at + HEARTBEAT_SECONDS - clock()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await woken.wait()


def ndjson(lines: AsyncIterator[Line]) -> StreamingResponse:
    """Answer with one JSON document a line, unset fields left out of nothing: each line is complete. Bytes are lines
    with their ends."""

    async def encoded() -> AsyncIterator[bytes]:
        async for line in lines:
            yield line if isinstance(line, bytes) else line.model_dump_json().encode() + b"\n"

    return StreamingResponse(encoded(), media_type=NDJSON, headers={"Cache-Control": "no-store"})
