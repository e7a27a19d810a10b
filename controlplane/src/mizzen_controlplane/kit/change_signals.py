"""How a reader that follows changes is woken: in this process by an event, between replicas by PostgreSQL's NOTIFY.

A signal only shortens the wait: readers look for themselves at least once a second, so a lost one loses nothing.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # it ships no types
import structlog
from sqlalchemy.engine import make_url

from mizzen_controlplane.kit.ended_task import ended
from mizzen_controlplane.kit.postgres_dialect import ANSWERS_WITHIN

CHANNEL = "mizzen_changes"
_RETRY_SECONDS = 2.0

log = structlog.get_logger(__name__)


class ChangeSignals:
    """Wakes those who listen to a topic."""

    def __init__(self, postgres_url: str | None) -> None:
        self._listeners: dict[str, set[asyncio.Event]] = {}
        self._postgres_url = postgres_url
        self._task: asyncio.Task[None] | None = None
        self.ended = False
        """The process stops: feeds end, so that it need not wait for their readers."""

    def wake(self, topic: str) -> None:
        """Wake everyone in this process who listens to `topic`."""
        for woken in self._listeners.get(topic, ()):
            woken.set()

    @contextmanager
    def listening(self, topic: str) -> Iterator[asyncio.Event]:
        """An event that is set after each change of `topic`; clear it before looking."""
        woken = asyncio.Event()
        self._listeners.setdefault(topic, set()).add(woken)
        try:
            yield woken
        finally:
            self._listeners[topic].discard(woken)

    def end_feeds(self) -> None:
        """Wake all feeds for the last time."""
        self.ended = True
        for topic in list(self._listeners):
            self.wake(topic)

    def start(self) -> None:
        """Follow the other replicas' changes, where there can be any."""
        if self._postgres_url is not None:
            self._task = asyncio.create_task(self._follow_postgres(), name="change-signals")

    async def close(self) -> None:
        """Stop following."""
        await ended(self._task)

    async def _follow_postgres(self) -> None:
        while True:
            try:
                await self._listen_once()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("not listening for changes of other replicas", error=type(error).__name__)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _listen_once(self) -> None:
        assert self._postgres_url is not None
        url = make_url(self._postgres_url).set(drivername="postgresql")
        connection: Any = await asyncpg.connect(url.render_as_string(hide_password=False), timeout=ANSWERS_WITHIN)
        gone = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _connection: gone.set())
            await connection.add_listener(CHANNEL, lambda _c, _pid, _channel, topic: self.wake(topic))
            await gone.wait()
        finally:
            await connection.close(timeout=2)
