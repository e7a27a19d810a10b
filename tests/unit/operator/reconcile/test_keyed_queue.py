"""One worker a key, one entry a key."""

import asyncio

from mizzen_operator.reconcile.keyed_queue import KeyedQueue


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
    assert queue.failed("a") < pauses[1]


async def test_the_oldest_waiting_key_tells_its_age_and_the_queue_its_depth() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    assert (queue.depth, queue.oldest_seconds()) == (0, 0.0)
    queue.add("a")
    await asyncio.sleep(0)
    queue.add("b")
    assert queue.depth == 2
    assert queue.oldest_seconds() >= 0
    await queue.take()
    assert queue.depth == 1


async def test_later_is_said_anew_and_forgotten_with_the_key() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    queue.add_later("a", 3600)
    queue.add_later("a", 0.001)
    assert await asyncio.wait_for(queue.take(), 5) == "a"
    queue.done("a")
    queue.add_later("a", 0.001)
    queue.forget("a")
    queue.add_later("b", 0.002)
    assert await asyncio.wait_for(queue.take(), 5) == "b"
