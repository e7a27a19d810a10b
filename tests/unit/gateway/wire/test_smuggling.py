"""Requests that two programs could read differently: each is refused with 400 and the connection ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from mizzen_gateway.stages import Refusal
from mizzen_gateway.wire.limits import WireLimits
from mizzen_gateway.wire.request import Request
from mizzen_gateway.wire.response import Responder
from mizzen_gateway.wire.server import Server

LIMITS = WireLimits(body_bytes=1000, header_bytes=2000, header_count=20)
POST = b"POST /a HTTP/1.1\r\nHost: a\r\n"


class Echo:
    """Answers with method, path and body; counts what reached it."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def vet(self, request: Request, _transport: asyncio.BaseTransport) -> None:
        if b"x-refuse" in request.headers:
            request.refusal = Refusal(401, "no", "no")

    async def handle(self, request: Request, responder: Responder) -> None:
        if request.refusal is not None:
            responder.send(request.refusal.status, (), request.refusal.message.encode())
            return
        self.seen.append(request.path)
        responder.send(200, (), request.method + b" " + request.path + b" " + request.body)

    def refuse(self, request: Request, responder: Responder, refusal: Refusal) -> None:
        raise AssertionError(f"{request.path!r}: {refusal.message}")


@asynccontextmanager
async def echo_server(limits: WireLimits = LIMITS) -> AsyncIterator[tuple[Server, Echo, int]]:
    echo = Echo()
    server = Server(echo, limits)
    port = await server.listen("127.0.0.1", 0)
    try:
        yield server, echo, port
    finally:
        await server.drain(0)


async def talk(port: int, *pieces: bytes) -> bytes:
    """Send pieces, each on its own, then read until the server closes or a second has passed in silence."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.001 if piece else 0)  # so that pieces arrive as pieces
        while True:
            async with asyncio.timeout(0.3):
                more = await reader.read(65536)
            if not more:
                return answer + b"<closed>"
            answer += more
    except (TimeoutError, ConnectionError):
        return answer
    finally:
        writer.close()


@pytest.mark.parametrize(
    "raw",
    [
        POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
        POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\na",
        POST + b"Content-Length: 1, 1\r\n\r\na",
        POST + b"Content-Length: +1\r\n\r\na",
        POST + b"Content-Length: -1\r\n\r\na",
        POST + b"Content-Length: 0x1\r\n\r\na",
        POST + b"Content-Length: 99999999999999999999999\r\n\r\na",
        POST + b"Content-Length : 1\r\n\r\na",
        POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\naXX0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n1;a\nb\r\na\r\n0\r\n\r\n",
        b"POST /a HTTP/1.1\nHost: a\n\n",
        b"GET /a HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: a\r\nX: b\n\n",
        b"GET /a HTTP/1.1\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost:\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: a, b\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: user@a\r\n\r\n",
        b"GET http://b/a HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: a\r\n folded: 1\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na",
        b"GET /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
    ],
)
async def test_an_ambiguous_request_is_refused_and_the_connection_ends(raw: bytes) -> None:
    async with echo_server() as (_, echo, port):
        answer = await talk(port, raw + b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ") or (b"PRI" in raw and b" 505 " in answer), answer
        assert answer.endswith(b"<closed>")
        assert answer.count(b"HTTP/1.1 ") == 1
        assert echo.seen == []


async def test_the_same_request_in_single_bytes_is_refused_as_well() -> None:
    raw = POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    async with echo_server() as (_, echo, port):
        answer = await talk(port, *[bytes([one]) for one in raw])
        assert answer.startswith(b"HTTP/1.1 400 "), answer
        assert echo.seen == []


async def test_good_requests_before_a_bad_one_get_their_answers_first() -> None:
    good = b"GET /good HTTP/1.1\r\nHost: a\r\n\r\n"
    async with echo_server() as (_, echo, port):
        answer = await talk(port, good + good + b"GET /bad HTTP/1.1\r\n\r\n")
        assert answer.count(b"HTTP/1.1 200 ") == 2
        assert answer.index(b"HTTP/1.1 400 ") > answer.rindex(b"HTTP/1.1 200 ")
        assert echo.seen == [b"/good", b"/good"]


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (POST + b"Content-Length: 1001\r\n\r\n", b"413"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n", b"413"),
        (b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"431"),
        (b"GET /a HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 3000, b"431"),
        (
            b"GET /a HTTP/1.1\r\nHost: a\r\n"
            + b"X-%d: 1\r\n" * 0
            + b"".join(b"X-%d: 1\r\n" % i for i in range(30))
            + b"\r\n",
            b"431",
        ),
        (POST + b"Expect: tea\r\nContent-Length: 1\r\n\r\na", b"417"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 9000, b"400"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"x" * 9000, b"400"),
    ],
)
async def test_what_is_too_large_is_refused_with_its_limit(raw: bytes, status: bytes) -> None:
    async with echo_server() as (_, echo, port):
        head, end, rest = raw.partition(b"\r\n\r\n")
        answer = await talk(port, head + end, rest)
        assert answer.startswith(b"HTTP/1.1 " + status), answer
        assert echo.seen == []


async def test_the_body_limit_is_named_in_the_refusal() -> None:
    async with echo_server(WireLimits(body_bytes=2 * 1024 * 1024)) as (_, _echo, port):
        answer = await talk(port, POST + b"Content-Length: 2097153\r\n\r\n")
    assert b"limit of 2 MiB" in answer


async def test_a_body_of_exactly_the_limit_passes() -> None:
    async with echo_server() as (_, _echo, port):
        for raw in (
            POST + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000,
            POST + b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n" + b"x" * 1000 + b"\r\n0\r\n\r\n",
            POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 1000 + b"0\r\n\r\n",
        ):
            answer = await talk(port, raw)
            assert answer.endswith(b"POST /a " + b"x" * 1000), answer[:200]
