"""One worker a key, one entry a key."""

import asyncio

from mizzen_cli.local.runner.keyed_queue import KeyedQueue


async def test_a_key_added_often_is_taken_once() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    for _ in range(5):
        queue.add("a")
    queue.add("b")
    assert [await queue.take(), await queue.take()] == ["a", "b"]


async def test_a_key_added_while_it_is_worked_on_comes_once_more_afterwards() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    queue.add("a")
    assert await queue.take() == "a"
    queue.add("a")
    queue.add("a")
    other = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    assert not other.done()
    queue.done("a")
    assert await asyncio.wait_for(other, 5) == "a"


async def test_a_failed_key_comes_back_with_growing_pauses_until_it_succeeds() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    pauses = []
    for _ in range(3):
        queue.add("a")
        await queue.take()
        pauses.append(queue.failed("a"))
    assert pauses == sorted(set(pauses))
    await asyncio.wait_for(queue.take(), 5)
    queue.done("a")
    queue.add("a")
    await asyncio.wait_for(queue.take(), 5)
    assert queue.failed("a") == pauses[0]
