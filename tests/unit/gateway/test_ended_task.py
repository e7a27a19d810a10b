"""A task that is ended is waited for, and whoever waits can be cancelled."""

import asyncio

import pytest
from mizzen_gateway.ended_task import ended
from support.until import until


async def test_a_task_has_ended_when_it_was_waited_for() -> None:
    steps: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            steps.append("tidied")

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await ended(task)
    assert (steps, task.cancelled()) == (["tidied"], True)
    await ended(task)
    await ended(None)


async def test_what_it_failed_with_is_raised() -> None:
    async def work() -> None:
        raise KeyError("broken")

    task = asyncio.create_task(work())
    await until(task.done)
    with pytest.raises(KeyError, match="broken"):
        await ended(task)


async def test_whoever_waits_can_be_cancelled() -> None:
    go = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await go.wait()

    async def owner(task: "asyncio.Task[None]") -> None:
        await ended(task)
        raise AssertionError("it went on")

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    owning = asyncio.create_task(owner(task))
    await until(lambda: task.cancelling())
    owning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await owning
    go.set()
    await asyncio.wait((task,))
    assert task.cancelled()
