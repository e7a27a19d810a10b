"""An engine that does exactly what a test says, also what no good engine does: hang, break off, talk nonsense."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

DESCRIPTION = "/openapi.json"
"""Asked by gateways before anything else; a scripted engine says nothing of what it has."""
Behaviour = Callable[["Exchange"], Awaitable[None]]


@dataclass
class Exchange:
    """One request, and the means to answer it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    writer: asyncio.StreamWriter

    @property
    def document(self) -> dict[str, Any]:
        """The body as JSON."""
        held: dict[str, Any] = orjson.loads(self.body)
        return held

    async def send(self, status: int, body: bytes, **headers: str) -> None:
        """A whole response."""
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n{lines}\r\n"
        self.writer.write(head.encode() + body)
        await self.writer.drain()

    async def send_json(self, document: object, status: int = 200) -> None:
        """A JSON document."""
        await self.send(status, orjson.dumps(document), content_type="application/json")

    async def start_events(self) -> None:
        """The head of a stream of events."""
        self.writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")

    async def event(self, payload: object) -> None:
        """One event, as a chunk of its own."""
        raw = payload if isinstance(payload, bytes) else orjson.dumps(payload)
        data = b"data: " + raw + b"\n\n"
        self.writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self.writer.drain()

    async def end_events(self) -> None:
        """The end of a stream."""
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    def cut(self) -> None:
        """Break the connection."""
        self.writer.transport.abort()


@dataclass
class ScriptedEngine:
    """Counts and keeps what it was asked."""

    behaviour: Behaviour
    port: int = 0
    exchanges: list[Exchange] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a connection ended while its request was being answered."""
    tasks: set["asyncio.Task[Any]"] = field(default_factory=set)
    """Connections and answers under way."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return ("127.0.0.1", self.port)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        serving = asyncio.current_task()
        assert serving is not None
        self._keep(serving)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.rstrip().split("\r\n")
                method, path, _ = first.split(" ")
                headers: dict[str, str] = {}
                for name, _, value in (one.partition(":") for one in lines):
                    before = headers.get(name.lower())
                    headers[name.lower()] = value.strip() if before is None else f"{before}, {value.strip()}"
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                exchange = Exchange(method, path, headers, body, writer)
                if path == DESCRIPTION:
                    await exchange.send(404, b"")
                    continue
                self.exchanges.append(exchange)
                answering = self._keep(asyncio.create_task(self.behaviour(exchange)))  # type: ignore[arg-type]  # a coroutine
                await self._watch(reader, answering)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _keep(self, task: "asyncio.Task[Any]") -> "asyncio.Task[Any]":
        self.tasks.add(task)
        return task

    async def stop(self) -> None:
        """End what is under way; nothing is left for the garbage collector to complain about."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _watch(self, reader: asyncio.StreamReader, answering: "asyncio.Task[None]") -> None:
        """Wait for the answer, or for the other side to leave before it is whole."""
        leaving = self._keep(asyncio.create_task(_ended(reader)))
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if not answering.done():
            answering.cancel()
            self.gone.set()
            raise ConnectionResetError


async def _ended(reader: asyncio.StreamReader) -> None:
    while not reader.at_eof():  # noqa: ASYNC110 - a stream reader offers no event for its end
        await asyncio.sleep(0.01)


@asynccontextmanager
async def scripted_engine(behaviour: Behaviour) -> AsyncIterator[ScriptedEngine]:
    """Start one on a free port."""
    engine = ScriptedEngine(behaviour)
    server = await asyncio.start_server(engine.serve, "127.0.0.1", 0, limit=1 << 26)
    engine.port = server.sockets[0].getsockname()[1]
    try:
        yield engine
    finally:
        server.close()
        await engine.stop()


def completion(model: str, text: str = "hello", prompt: int = 7, output: int = 3) -> dict[str, Any]:
    """A chat completion as an engine gives it."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output},
    }


def chunk(model: str, text: str | None) -> dict[str, Any]:
    """A chunk of a streamed chat completion."""
    choices = [] if text is None else [{"index": 0, "delta": {"content": text}, "finish_reason": None}]
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10} if text is None else None
    found = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": choices}
    return {**found, "usage": usage} if usage else found


async def hangs(_exchange: Exchange) -> None:
    """Never answers."""
    await asyncio.Event().wait()


async def streams(exchange: Exchange) -> None:
    """One word, as events."""
    await exchange.start_events()
    await exchange.event(chunk("m", "one"))
    await exchange.event(chunk("m", None))
    await exchange.event(b"[DONE]")
    await exchange.end_events()
