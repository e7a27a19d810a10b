"""What happens to a program whose API server is slow, away, wrong or gone in the middle of a write?

A proxy stands before the API server, with the same certificate, and does to requests what its rules say. It runs in a
thread with a loop of its own, so that tests of either kind can use it; rules may be added and removed at any time.
Hooks run in that thread and hold up all else that passes: they may ask the API server, but never through the proxy.
"""

import asyncio
import json
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Self

import aiohttp
from aiohttp import web
from support.cluster.cluster import Cluster
from support.cluster.faults import Asked, Fault, Rule, When, asked
from support.cluster.ports import reserve
from yarl import URL

_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "host", "content-length"}
_START_SECONDS = 10.0
_LOOK_SECONDS = 0.5
Hook = Callable[[Asked], None]


class FaultProxy:
    """`with FaultProxy(cluster) as proxy:`; give `proxy.server` to `cluster.kubeconfig_of` and its like."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._port = reserve()
        self._rules: list[Rule] = []
        self._before: list[Hook] = []
        self._after: list[Hook] = []
        self._lock = threading.Lock()
        self._open: dict[asyncio.Task[object], asyncio.Transport] = {}
        self._written = 0
        self._away = False
        self.requests: list[Asked] = []
        """Every request, in the order of arrival, with the status that the server gave (0: it was not asked)."""

    @property
    def server(self) -> str:
        """Its URL."""
        return f"https://127.0.0.1:{self._port}"

    @property
    def writes(self) -> list[Asked]:
        """The counted writes, numbered from 1; Events, Leases and reviews of rights are not among them."""
        return [each for each in self.requests if each.number]

    def forget(self) -> None:
        """Begin a new count: no requests so far, and the next write is number 1."""
        with self._lock:
            self.requests.clear()
            self._written = 0

    def add(self, rule: Rule) -> Rule:
        """Have a rule from now on; the first that matches a request counts."""
        with self._lock:
            self._rules.append(rule)
        return rule

    def remove(self, rule: Rule) -> None:
        """Have it no longer."""
        with self._lock:
            self._rules.remove(rule)

    @contextmanager
    def rule(self, rule: Rule) -> Iterator[Rule]:
        """Have a rule for the length of a `with`."""
        self.add(rule)
        try:
            yield rule
        finally:
            self.remove(rule)

    def before_write(self, hook: Hook) -> None:
        """Call with each counted write before the server sees it; it is sent when the hook returns."""
        self._before.append(hook)

    def after_write(self, hook: Hook) -> None:
        """Call with each counted write when the server has carried it out, before its answer is passed on."""
        self._after.append(hook)

    def kill_at(self, number: int, when: When, kill: Callable[[], None]) -> None:
        """Call `kill` at one write. BEFORE: the server never sees it; AFTER: it is done and nobody hears of it."""
        self.add(Rule(Fault.CUT, lambda each: each.number == number, when=when, times=1, then=kill))

    @contextmanager
    def away(self) -> Iterator[None]:
        """As if the API server were gone: open connections end, and every new request meets a closed connection."""
        self._away = True
        self._loop.call_soon_threadsafe(self._abort_all)
        try:
            yield
        finally:
            self._away = False

    def cut_connections(self) -> None:
        """End every open connection once, watches among them."""
        self._loop.call_soon_threadsafe(self._abort_all)

    def __enter__(self) -> Self:
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True, name="fault-proxy")
        self._thread.start()
        if not started.wait(_START_SECONDS):
            raise RuntimeError(f"the proxy does not listen on {self.server} after {_START_SECONDS:.0f} s")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._port.release()

    def _run(self, started: threading.Event) -> None:
        with asyncio.Runner() as runner:  # its end waits for whatever task is left
            self._loop = runner.get_loop()
            runner.run(self._serve(started))

    async def _serve(self, started: threading.Event) -> None:
        self._stop = asyncio.Event()
        folder = self._cluster.folder
        inwards = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        inwards.load_cert_chain(folder.authority, folder.certificate_key)
        outwards = ssl.create_default_context(cafile=str(folder.authority))
        connector = aiohttp.TCPConnector(ssl=outwards, limit=0)
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as self._upstream:
            app = web.Application(client_max_size=1 << 30)
            app.router.add_route("*", "/{path:.*}", self._answer)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, auto_decompress=False)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", self._port.number, ssl_context=inwards)
            await site.start()
            started.set()
            await self._stop.wait()
            await site.stop()  # first: a program that is cut off comes back at once
            self._abort_all()
            tasks = list(self._open)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await runner.cleanup()

    def _abort_all(self) -> None:
        for transport in self._open.values():
            _abort(transport)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        transport, task = request.transport, asyncio.current_task()
        assert isinstance(transport, asyncio.Transport)
        assert task
        self._open[task] = transport
        try:
            return await self._handle(request, transport)
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            return _cut(transport)
        finally:
            del self._open[task]

    async def _handle(self, request: web.Request, transport: asyncio.Transport) -> web.StreamResponse:
        body = await request.read()
        if self._away:
            return _cut(transport)
        each, rule = self._register(request, body)
        if each.number:
            for hook in self._before:
                hook(each)
        if rule is None:
            return await self._forward(request, body, each, None)
        await asyncio.sleep(rule.seconds)
        return await self._faulty(request, transport, body, each, rule)

    def _register(self, request: web.Request, body: bytes) -> tuple[Asked, Rule | None]:
        with self._lock:
            each = asked(request.method, request.raw_path, dict(request.headers), body, self._written + 1)
            self._written = max(self._written, each.number)
            self.requests.append(each)
            return each, next((rule for rule in self._rules if rule.takes(each)), None)

    async def _faulty(
        self, request: web.Request, transport: asyncio.Transport, body: bytes, each: Asked, rule: Rule
    ) -> web.StreamResponse:
        if rule.fault is Fault.ANSWER:
            return web.Response(status=rule.status, text=json.dumps(rule.answer()), headers=rule.headers)
        if rule.when is When.AFTER and rule.fault in (Fault.CUT, Fault.DROP):
            async with self._asked_upstream(request, body) as answer:
                each.status = answer.status
                await answer.read()
        if rule.fault is Fault.CUT:
            rule.then()
            return _cut(transport)
        if rule.fault is Fault.DROP:
            await self._until_gone(transport)
            return _cut(transport)
        return await self._forward(request, body, each, rule)

    async def _until_gone(self, transport: asyncio.BaseTransport | None) -> None:
        """Wait until the caller gives up."""
        while transport is not None and not transport.is_closing():  # noqa: ASYNC110 -- a transport signals nothing
            await asyncio.sleep(_LOOK_SECONDS)

    @asynccontextmanager
    async def _asked_upstream(self, request: web.Request, body: bytes) -> AsyncIterator[aiohttp.ClientResponse]:
        kept = {name: value for name, value in request.headers.items() if name.casefold() not in _HOP}
        url = URL(f"{self._cluster.server}{request.raw_path}", encoded=True)
        async with self._upstream.request(request.method, url, headers=kept, data=body or None) as answer:
            yield answer

    async def _forward(self, request: web.Request, body: bytes, each: Asked, rule: Rule | None) -> web.StreamResponse:
        async with self._asked_upstream(request, body) as answer:
            each.status = answer.status
            kept = {name: value for name, value in answer.headers.items() if name.casefold() not in _HOP}
            chunks = _chunks(request, answer)
            if each.number:
                chunks = _at_once(await answer.read())
                for hook in self._after:
                    hook(each)
            response = web.StreamResponse(status=answer.status, headers=kept)
            await response.prepare(request)
            async for chunk in _passed_on(chunks, rule):
                await response.write(chunk)
            if rule is not None and rule.fault is Fault.SILENCE:
                await self._until_gone(request.transport)
            await response.write_eof()
            return response


async def _chunks(request: web.Request, answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The body as it comes; ends early where the caller has gone, so that no watch of a killed program stays open."""
    while not answer.content.at_eof():
        try:
            chunk = await asyncio.wait_for(answer.content.readany(), _LOOK_SECONDS)
        except TimeoutError:
            if request.transport is None or request.transport.is_closing():
                return
            continue
        if chunk:
            yield chunk


async def _at_once(body: bytes) -> AsyncIterator[bytes]:
    """A body that was read already."""
    yield body


async def _passed_on(chunks: AsyncIterator[bytes], rule: Rule | None) -> AsyncIterator[bytes]:
    """The body, as far as the rule lets it through."""
    left = rule.bytes if rule is not None and rule.fault is Fault.TRUNCATE else None
    if rule is not None and rule.fault is Fault.EVENT:
        yield json.dumps({"type": "ERROR", "object": rule.answer()}).encode() + b"\n"
        return
    if rule is not None and rule.fault is Fault.SILENCE:
        return
    async for chunk in chunks:
        if left is None:
            yield chunk
            continue
        if chunk := chunk[:left]:
            yield chunk
        left -= len(chunk)
        if left <= 0:
            return


def _cut(transport: asyncio.Transport) -> web.Response:
    """End the connection without a word; what is returned goes nowhere."""
    _abort(transport)
    return web.Response(status=500)


def _abort(transport: asyncio.Transport) -> None:
    """End the connection; one that has ended already raises AttributeError in Python 3.11.2, which Debian 12 has."""
    with suppress(AttributeError):
        transport.abort()
