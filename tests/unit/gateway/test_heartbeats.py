"""When is a heartbeat due? Counted from the first wait, however often engines were tried and failed between."""

from typing import Any

import pytest
from mizzen_gateway import heartbeats
from mizzen_gateway.heartbeats import HEARTBEAT, Heartbeats
from support.until import until


class Caller:
    """A responder that counts what it is sent."""

    def __init__(self) -> None:
        self.got: list[bytes] = []

    def keep_waiting(self, _headers: object, heartbeat: bytes, _last_words: object) -> None:
        self.got.append(heartbeat)


async def test_tries_that_fail_do_not_delay_a_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    caller: Any = Caller()
    monkeypatch.setattr(heartbeats, "HEARTBEAT_SECONDS", 0.02)
    beats = Heartbeats(caller, (), lambda _: b"")
    monkeypatch.setattr(heartbeats, "HEARTBEAT_SECONDS", 3600.0)
    beats.go_on()
    beats.stop()  # an engine is tried
    beats.go_on()  # and refuses
    await until(lambda: caller.got == [HEARTBEAT])
    beats.stop()


async def test_none_comes_while_an_engine_has_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    caller: Any = Caller()
    monkeypatch.setattr(heartbeats, "HEARTBEAT_SECONDS", 0.0)
    beats = Heartbeats(caller, (), lambda _: b"")
    beats.go_on()
    await until(lambda: len(caller.got) > 2)
    beats.stop()
    so_far = len(caller.got)
    other = Heartbeats(caller, (), lambda _: b"")
    for _ in range(3):
        other.go_on()
        other.stop()
    assert len(caller.got) == so_far
