"""Work beside the requests has ended when its block is left, and whoever waits for that can be cancelled."""

import asyncio

import pytest
from mizzen_controlplane.kit.background import in_background
from support.until import until


async def test_work_has_ended_when_its_block_is_left() -> None:
    steps: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            steps.append("tidied")

    async with in_background(work(), "work"):
        await asyncio.sleep(0)
    assert steps == ["tidied"]


async def test_whoever_leaves_the_block_can_be_cancelled() -> None:
    began, tidying, go = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            tidying.set()
            await go.wait()

    async def owner() -> None:
        async with in_background(work(), "work"):
            await began.wait()
        raise AssertionError("it went on")

    owning = asyncio.create_task(owner())
    await tidying.wait()
    owning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await owning
    go.set()
    await until(lambda: not [task for task in asyncio.all_tasks() if task.get_name() == "work"])
