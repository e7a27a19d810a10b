"""Does the operator ask for a restart where passes stand still, and only there?"""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from mizzen_operator.reconcile.keyed_queue import KeyedQueue
from mizzen_operator.reconcile.resync import Resync
from mizzen_operator.reconcile.stuck import LONGEST_PASS_SECONDS, STUCK_SECONDS, stuck

ALWAYS = 10 * LONGEST_PASS_SECONDS


class Clock:
    """The running loop's, set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)


async def test_a_change_that_waits_while_no_pass_ends_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, queue = Clock(monkeypatch), KeyedQueue[str]()
    queue.add("a")
    clock.now += STUCK_SECONDS - 1
    assert stuck(queue, ALWAYS) == ""
    clock.now += 2
    assert "no pass has ended for 301 s" in stuck(queue, ALWAYS)


async def test_a_long_queue_that_moves_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, queue = Clock(monkeypatch), KeyedQueue[int]()
    for number in range(100):
        queue.add(number)
    for _ in range(99):
        clock.now += STUCK_SECONDS / 10
        queue.done(await queue.take())
    assert queue.oldest_seconds() > STUCK_SECONDS
    assert stuck(queue, ALWAYS) == ""


async def test_an_empty_queue_is_none_however_long(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, queue = Clock(monkeypatch), KeyedQueue[str]()
    queue.add("a")
    queue.done(await queue.take())
    clock.now += 100 * STUCK_SECONDS
    assert stuck(queue, ALWAYS) == ""
    queue.add("a")
    assert stuck(queue, ALWAYS) == ""


async def test_what_waited_while_another_replica_led_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, queue = Clock(monkeypatch), KeyedQueue[str]()
    queue.add("a")
    clock.now += 10 * STUCK_SECONDS
    assert stuck(queue, 0.0) == ""
    assert stuck(queue, STUCK_SECONDS - 1) == ""


async def test_one_pass_that_hangs_is_a_reason_though_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, queue = Clock(monkeypatch), KeyedQueue[str]()
    queue.add("hangs")
    await queue.take()
    for _ in range(20):
        clock.now += LONGEST_PASS_SECONDS / 19
        queue.add("goes on")
        queue.done(await queue.take())
    assert "a pass has not ended" in stuck(queue, ALWAYS)
    queue.done("hangs")
    assert stuck(queue, ALWAYS) == ""


async def test_an_api_server_that_has_not_answered_for_long_is_known_as_away(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, queue = Clock(monkeypatch), KeyedQueue[Any]()

    async def no_deployments(*_: object) -> tuple[list[object], str]:
        return [], "1"

    api = SimpleNamespace(list=no_deployments)
    caches = SimpleNamespace(primaries=SimpleNamespace(prune=lambda *_: []))
    resync = Resync(cast(Any, None), cast(Any, api), cast(Any, caches), queue, lambda: None)
    assert not resync.answered_within(60)
    await resync._missed()
    assert resync.answered_within(60)
    clock.now += 61
    assert not resync.answered_within(60)
