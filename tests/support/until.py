"""Waits for a condition, with a deadline: what tests do instead of sleeping."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], seconds: float = 20.0, every: float = 0.005) -> None:
    """Return as soon as `condition` holds; TimeoutError when it does not in time. `every`: longer for what is dear."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the condition is anybody's, and nobody signals it
            await asyncio.sleep(every)
