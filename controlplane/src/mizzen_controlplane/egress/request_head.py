"""What does a client ask the proxy for? The head of its first request, read and checked."""

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

MOST_HEAD_BYTES = 64 * 1024
_HOP_BY_HOP = frozenset({"connection", "proxy-connection", "proxy-authorization", "keep-alive", "te", "upgrade"})


class BadHeadError(Exception):
    """It is no request that a proxy takes."""


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request to the proxy."""

    method: str
    host: str
    port: int
    tunnel: bool
    """CONNECT: bytes go through unread. Else plain HTTP, of which this is the first line and the headers."""
    authorization: str
    onward: bytes
    """For plain HTTP: the head as the server is sent it, one request a connection."""


async def read_head(reader: asyncio.StreamReader) -> RequestHead:
    """Read it; raises BadHeadError, and EOFError where the client has gone."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as error:
        raise BadHeadError from error
    try:
        first, *lines = head.decode("ascii").split("\r\n")[:-2]
        method, target, version = first.split(" ")
        headers = [_header(line) for line in lines]
        given = [value for name, value in headers if name.lower() == "proxy-authorization"]
        if not version.startswith("HTTP/1.") or len(given) > 1:
            raise BadHeadError
        authorization = given[0] if given else ""
        if method == "CONNECT":
            host, _, port = target.rpartition(":")  # some clients leave out the brackets of an IPv6 address
            return RequestHead(method, host, _port(port), True, authorization, b"")
        url = urlsplit(target)
        if url.scheme != "http" or not url.hostname or url.username is not None:
            raise BadHeadError
    except ValueError as error:
        raise BadHeadError from error
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    kept = [f"{name}: {value}" for name, value in headers if name.lower() not in {*_HOP_BY_HOP, "host"}]
    onward = [f"{method} {path} HTTP/1.1", f"Host: {url.netloc}", *kept, "Connection: close", "", ""]
    return RequestHead(method, url.hostname, url.port or 80, False, authorization, "\r\n".join(onward).encode())


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or name != name.strip() or not name:
        raise BadHeadError
    return name, value.strip()


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise BadHeadError
    return int(text)
