"""A task goes on within the call that brings what it waits for, and never in the middle of another's work."""

import asyncio
from collections.abc import Callable

import pytest
from mizzen_gateway.at_once import AtOnce


class Waiting:
    """A task that waits, and what it saw."""

    def __init__(self) -> None:
        self.future = AtOnce(asyncio.get_running_loop())
        self.seen: list[str] = []
        self.task = asyncio.create_task(self._wait())

    async def _wait(self) -> None:
        self.seen.append("waits")
        try:
            await self.future
        except (asyncio.CancelledError, OSError) as error:
            self.seen.append(type(error).__name__)
            raise
        self.seen.append("goes on")


async def _outside_of_any_task(call: Callable[[], None]) -> None:
    """As the event loop calls a protocol."""
    done = asyncio.Event()

    def turn() -> None:
        call()
        done.set()

    asyncio.get_running_loop().call_soon(turn)
    await done.wait()


async def test_a_task_has_gone_on_when_the_call_returns() -> None:
    waiting = Waiting()
    await asyncio.sleep(0)

    def comes() -> None:
        waiting.future.come()
        waiting.seen.append("returned")

    await _outside_of_any_task(comes)
    assert waiting.seen == ["waits", "goes on", "returned"]
    await waiting.task


async def test_a_task_that_brings_it_is_not_interrupted() -> None:
    waiting = Waiting()
    await asyncio.sleep(0)
    waiting.future.come()
    waiting.seen.append("returned")
    await waiting.task
    assert waiting.seen == ["waits", "returned", "goes on"]


async def test_what_came_before_somebody_waits_is_not_waited_for() -> None:
    waiting = Waiting()
    waiting.future.come()
    waiting.future.come()
    await waiting.task
    assert waiting.seen == ["waits", "goes on"]


async def test_errors_and_cancellation_reach_who_waits() -> None:
    failing, cancelled = Waiting(), Waiting()
    await asyncio.sleep(0)
    failing.future.set_exception(OSError("gone"))
    cancelled.task.cancel()
    ends = await asyncio.gather(failing.task, cancelled.task, return_exceptions=True)
    assert [type(end) for end in ends] == [OSError, asyncio.CancelledError]
    assert (failing.seen, cancelled.seen) == (["waits", "OSError"], ["waits", "CancelledError"])
    cancelled.future.come()
    assert cancelled.future.cancelled()


async def test_a_timeout_ends_the_wait() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await AtOnce(asyncio.get_running_loop())
