"""A web server of files that may know ranges, change, lie, stop in the middle, or lead elsewhere."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class FileOrigin:
    """Path -> bytes; what was asked is noted."""

    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    lies: dict[str, int] = field(default_factory=dict)
    """Path -> Content-Length that is told instead."""
    stops: dict[str, int] = field(default_factory=dict)
    """Path -> after so many bytes nothing comes until `let_go` is set; only once."""
    answers: Callable[[str, dict[str, str]], tuple[int, bytes] | tuple[int, bytes, dict[str, str]] | None] = (
        lambda _path, _headers: None
    )
    """Asked first: status, body and maybe headers, or None for the files."""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    host: str = ""

    def url(self, path: str) -> str:
        return f"http://{self.host}{path}"

    def times(self, path: str) -> int:
        """How often a path was asked."""
        return sum(asked == path for asked, _ in self.asked)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection."""
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        path = first.split(" ")[1]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
        self.asked.append((path, headers))
        try:
            await self._answer(path, headers, writer)
        except OSError:
            pass
        finally:
            writer.close()

    async def _answer(self, path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        if said := self.answers(path, headers):
            status, body, more = (*said, {})[:3]
            writer.write(_head(status, {"Content-Length": str(len(body)), **more}) + body)
        elif path in self.redirects:
            writer.write(_head(302, {"Location": self.redirects[path], "Content-Length": "0"}))
        elif path.partition("?")[0] not in self.files:
            writer.write(_head(404, {"Content-Length": "0"}))
        else:
            await self._send(path, self.files[path.partition("?")[0]], headers, writer)

    async def _send(self, path: str, body: bytes, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        etag, begins = f'"{hashlib.sha256(body).hexdigest()[:16]}"', 0
        if (found := re.fullmatch(r"bytes=(\d+)-", headers.get("range", ""))) and headers.get("if-range", etag) == etag:
            begins = int(found[1])
        told = {"ETag": etag, "Content-Length": str(self.lies.get(path, len(body) - begins))}
        if begins:
            told["Content-Range"] = f"bytes {begins}-{len(body) - 1}/{len(body)}"
        writer.write(_head(206 if begins else 200, told))
        if path in self.stops:
            writer.write(body[begins : self.stops.pop(path)])
            await writer.drain()
            self.stopped.set()
            await self.let_go.wait()
            return
        writer.write(body[begins:])
        await writer.drain()


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode()


@asynccontextmanager
async def file_origin(address: str = "127.0.0.2", **fields: object) -> AsyncIterator[FileOrigin]:
    """The server, running; 127.0.0.2 is what the shared control plane trusts."""
    made = FileOrigin(**fields)  # type: ignore[arg-type]  # the fields of a FileOrigin
    server = await asyncio.start_server(made.serve, address, 0)
    made.host = f"{address}:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        made.let_go.set()
        server.close()
