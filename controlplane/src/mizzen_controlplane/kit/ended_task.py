"""How does work beside the requests end before its owner goes on? It is cancelled, and waited for."""

import asyncio
from typing import Any


async def ended(task: "asyncio.Task[Any] | None") -> None:
    """Cancel it and wait until it has ended; None where it never began. Raises what it ended with.

    To await the task itself, and to take its cancellation for what was to be expected, would take one of the waiting
    task's own for the same.
    """
    if task is None:
        return
    task.cancel()
    await asyncio.wait((task,))
    if not task.cancelled():
        task.result()
