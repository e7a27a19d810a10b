"""When is a feed dead? When nothing was heard for so long, by a clock that stands still while this process does.

On a machine that has no time for its programs for seconds, or stops them, all fall silent. Who goes on first would find
by the time of day that the others are dead, and begin feeds anew that are alive, when there is least time for it.
"""

import asyncio
from collections.abc import AsyncGenerator

import aiohttp

TICKS = 10
"""Of a silence: however long this process stands still, that counts as one."""


async def heard(content: aiohttp.StreamReader, silence_seconds: float) -> AsyncGenerator[bytes, None]:
    """What comes, as it comes, until its end. Raises TimeoutError after so long a silence."""
    silent, reading = 0, asyncio.ensure_future(content.readany())
    try:
        while True:
            await asyncio.wait((reading,), timeout=silence_seconds / TICKS)
            if not reading.done():
                silent += 1
                if silent >= TICKS:
                    raise TimeoutError(f"nothing was heard for {silence_seconds:g} s")
                continue
            piece, silent = reading.result(), 0
            if not piece:
                return
            yield piece
            reading = asyncio.ensure_future(content.readany())
    finally:
        reading.cancel()
