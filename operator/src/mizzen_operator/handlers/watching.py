"""How is kopf run? As a watch engine and nothing else, started again whenever it ends or falls silent.

It has a thread and a loop of its own, because at its end it cancels every task that was made after its start, and
because it takes the process's signals where it runs in the main thread.
"""

import asyncio
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import kopf
import structlog
from mizzen_kube.connection import Connection

from mizzen_operator.handlers.watched import Listener, handlers_for

LONGEST_PAUSE = 15.0
SERVER_SECONDS = 300
END_SECONDS = 3.0
PAGE = 100
"""Objects of one answer to a list: 5,000 at once are 190 MB as dicts, most of which would stay with the process."""
IDLE_SECONDS = 0.1
"""kopf keeps what it last told of each object for so long: its own five seconds hold all that a start lists."""
log = structlog.get_logger()


class Watching:
    """kopf beside this process's loop. `restarts` counts how often it was begun again."""

    def __init__(self, connection: Connection, listener: Listener) -> None:
        self._connection = connection
        self._listener = listener
        self._again = asyncio.Event()
        self.restarts: dict[str, int] = {}

    def begin_again(self) -> None:
        """It has fallen silent: end it and start another."""
        self._again.set()

    async def run(self) -> None:
        """Until cancelled."""
        tries, loop = 0, asyncio.get_running_loop()
        while True:
            began = loop.time()
            word = await self._once(loop)
            self.restarts[word] = self.restarts.get(word, 0) + 1
            tries = 0 if loop.time() - began > LONGEST_PAUSE else tries + 1
            pause = _pause(tries)
            log.warning("watch of what people write ended", reason=word, again_in=round(pause, 1))
            await asyncio.sleep(pause)

    async def _once(self, loop: asyncio.AbstractEventLoop) -> str:
        self._again.clear()
        stop, ended = threading.Event(), asyncio.Event()
        engine = _Engine(self._connection, _Relay(self._listener, loop), loop, stop, ended)
        threading.Thread(target=engine.run, name="watch-engine", daemon=True).start()
        silent, over = asyncio.create_task(self._again.wait()), asyncio.create_task(ended.wait())
        try:
            await asyncio.wait({silent, over}, return_when=asyncio.FIRST_COMPLETED)
            return engine.word if ended.is_set() else "silent"
        finally:
            stop.set()
            silent.cancel()
            over.cancel()


class _Relay:
    """Tells the listener in the loop that it lives in."""

    def __init__(self, listener: Listener, loop: asyncio.AbstractEventLoop) -> None:
        self._listener = listener
        self._loop = loop

    def deployment(self, manifest: dict[str, Any], gone: bool) -> None:
        self._tell(self._listener.deployment, manifest, gone)

    def runtime(self, manifest: dict[str, Any], gone: bool) -> None:
        self._tell(self._listener.runtime, manifest, gone)

    def _tell(self, what: Callable[..., None], manifest: dict[str, Any], gone: bool) -> None:
        if not self._loop.is_closed():
            # A copy of the outermost parts: kopf goes on using its own.
            own = {**manifest, "metadata": dict(manifest["metadata"])}
            self._loop.call_soon_threadsafe(what, own, gone)


class _Engine:
    """One run of kopf."""

    def __init__(
        self,
        connection: Connection,
        listener: Listener,
        loop: asyncio.AbstractEventLoop,
        stop: threading.Event,
        ended: asyncio.Event,
    ) -> None:
        self._connection = connection
        self._listener = listener
        self._loop = loop
        self._stop = stop
        self._ended = ended
        self._sessions: list[aiohttp.ClientSession] = []
        self._refusals = 0
        self.word = "ended"

    def run(self) -> None:
        """For the thread."""
        own = asyncio.new_event_loop()
        try:
            own.run_until_complete(self._watch())
        except Exception as error:  # noqa: BLE001 -- outermost guard of the thread: whatever it was, another run follows
            self.word = type(error).__name__
            log.warning("watch engine failed", error=f"{type(error).__name__}: {error}")
        finally:
            own.close()
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._ended.set)

    async def _watch(self) -> None:
        """Until the first of kopf's tasks ends. After a broken watch its own way to end hangs in signing in again."""
        registry = handlers_for(self._listener, self._sign_in)
        tasks = await kopf.spawn_tasks(
            registry=registry, settings=settings(), clusterwide=True, standalone=True, stop_flag=self._stop
        )
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        if rest:
            await asyncio.wait(rest, timeout=END_SECONDS)
        for session in self._sessions:
            await session.close()
        for task in done:
            task.result()

    def _sign_in(self) -> kopf.AiohttpSession:
        """A session of its own for kopf, which signs each request afresh: tokens rotate."""
        connection, loop = self._connection, self._loop

        async def signed(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
            asked = asyncio.run_coroutine_threadsafe(connection.credentials.token(), loop)
            if token := await asyncio.wrap_future(asked):
                request.headers["Authorization"] = f"Bearer {token}"
            answer = await handler(request)
            if answer.status == 401:
                loop.call_soon_threadsafe(connection.credentials.refused)
            await self._pause_after(answer.status)
            return answer

        connector = aiohttp.TCPConnector(ssl=connection.tls or True, limit=0)
        session = aiohttp.ClientSession(connector=connector, middlewares=(signed,), proxy=connection.proxy)
        self._sessions.append(session)
        return kopf.AiohttpSession(server=connection.server, aiohttp_session=session)

    async def _pause_after(self, status: int) -> None:
        """kopf signs in again at a refused token and asks at once: what it gets from here is the same session."""
        self._refusals = self._refusals + 1 if status == 401 else 0
        if self._refusals > 1:  # the first may be a token that was exchanged meanwhile
            await asyncio.sleep(_pause(self._refusals))


def settings() -> kopf.OperatorSettings:
    """kopf without posts, peers and scans, and with a patience that never ends."""
    wanted = kopf.OperatorSettings()
    wanted.posting.enabled = False
    wanted.peering.standalone = True
    wanted.scanning.disabled = True
    wanted.networking.request_timeout = 30
    wanted.networking.connect_timeout = 5
    wanted.networking.error_backoffs = EndlessBackoff()
    wanted.watching.server_timeout = SERVER_SECONDS
    wanted.watching.client_timeout = SERVER_SECONDS + 30
    wanted.watching.chunk_size = PAGE
    wanted.queueing.idle_timeout = IDLE_SECONDS
    wanted.process.ultimate_exiting_timeout = None
    return wanted


class EndlessBackoff:
    """Pauses, in seconds, that grow to a bound and never end. kopf goes through it once for each request."""

    def __iter__(self) -> Iterator[float]:
        tries = 0
        while True:
            yield _pause(tries)
            tries += 1


def _pause(tries: int) -> float:
    longest = min(LONGEST_PAUSE, 0.5 * 2.0 ** min(tries, 6))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 -- spreads load, guards nothing
