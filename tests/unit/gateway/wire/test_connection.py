"""How a connection behaves: order, keep-alive, HEAD, continue, deadlines, backpressure, drain."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from mizzen_gateway.stages import Refusal
from mizzen_gateway.wire import server as server_module
from mizzen_gateway.wire.limits import WireLimits
from mizzen_gateway.wire.request import Request
from mizzen_gateway.wire.response import Responder
from mizzen_gateway.wire.server import Server
from support.until import until

GET = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n"


class Scripted:
    """Answers by path."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.cancelled = 0
        self.paused = 0
        self.vetted = 0

    def vet(self, request: Request, _transport: asyncio.BaseTransport) -> None:
        self.vetted += 1
        if request.path == b"/refused":
            request.refusal = Refusal(401, "no", "no")
        if request.path == b"/vet-fails":
            raise KeyError(request.path)

    async def handle(self, request: Request, responder: Responder) -> None:
        if request.refusal is not None:
            responder.send(request.refusal.status, (), request.refusal.message.encode())
            return
        if request.path in {b"/fails", b"/fails-twice"}:
            raise KeyError(request.path)
        if request.path == b"/fails-late":
            responder.start(200, ())
            responder.write(b"begun")
            raise KeyError(request.path)
        if request.path == b"/parked":
            responder.keep_waiting((), b":\n\n", lambda _: b"")
            await self.go.wait()
            responder.start(200, ())
            responder.write(b"at last")
            responder.finish()
            return
        if request.path == b"/wait":
            try:
                await self.go.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        if request.path == b"/flood":
            responder.source = self
            responder.start(200, ())
            while not self.paused:
                responder.write(b"x" * 65536)
                await asyncio.sleep(0)
            await self.go.wait()
            responder.finish()
            return
        responder.send(200, (), request.path)

    def refuse(self, request: Request, responder: Responder, refusal: Refusal) -> None:
        if request.path == b"/fails-twice":
            raise KeyError(request.path)
        if responder.started:
            responder.break_off()
        else:
            responder.send(refusal.status, (), refusal.code.encode())

    def pause(self) -> None:
        self.paused += 1

    def resume(self) -> None:
        self.go.set()


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "SWEEP_SECONDS", 0.05)


@asynccontextmanager
async def serving(limits: WireLimits | None = None) -> AsyncIterator[tuple[Server, Scripted, int]]:
    handler = Scripted()
    server = Server(handler, limits or WireLimits())
    port = await server.listen("127.0.0.1", 0)
    try:
        yield server, handler, port
    finally:
        await server.drain(0)


async def test_pipelined_requests_are_answered_in_order_on_one_connection() -> None:
    async with serving() as (_, _handler, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"".join(GET % (b"%d" % number) for number in range(100)))
        for number in range(100):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(len(b"/%d" % number)) == b"/%d" % number
        writer.close()


async def test_head_gets_the_length_but_no_body() -> None:
    async with serving() as (_, _handler, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HEAD /abc HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        assert b"content-length: 4\r\n" in answer
        assert answer.endswith(b"\r\n\r\n")
        writer.close()


async def test_a_large_body_is_invited_only_where_the_request_will_be_served() -> None:
    async with serving() as (_, _handler, port):
        for path, begin in ((b"good", b"HTTP/1.1 100 Continue\r\n\r\n"), (b"refused", b"HTTP/1.1 401 ")):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST /%b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n" % path)
            assert (await reader.readexactly(len(begin))) == begin
            if path == b"good":
                writer.write(b"abc")
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            writer.close()


async def test_the_body_of_a_refused_request_is_thrown_away_and_the_connection_goes_on() -> None:
    async with serving() as (_, _handler, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + GET % b"next")
        answer = await reader.readuntil(b"/next")
        assert answer.startswith(b"HTTP/1.1 401 ")
        writer.close()


async def test_a_caller_that_leaves_cancels_its_request() -> None:
    async with serving() as (server, handler, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET % b"wait")
        await until(lambda: server.connection_count == 1)
        writer.close()
        await until(lambda: handler.cancelled == 1)
        assert server.connection_count == 0


async def test_a_header_that_does_not_come_is_answered_with_408() -> None:
    async with serving(WireLimits(header_seconds=0.1)) as (_, _handler, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /a HTTP/1.1\r\nHo")
        assert b"Header: took too long" in await reader.read()
        writer.close()


async def test_a_body_that_does_not_come_is_answered_with_408() -> None:
    async with serving(WireLimits(body_seconds=0.1)) as (_, _handler, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na")
        assert b"Body: took too long" in await reader.read()
        writer.close()


async def test_an_idle_connection_is_closed_in_silence() -> None:
    async with serving(WireLimits(idle_seconds=0.1)) as (_, _handler, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET % b"a")
        assert (await reader.read()).endswith(b"/a")
        writer.close()


async def test_a_reader_that_stops_pauses_the_source_and_a_fast_one_resumes_it() -> None:
    async with serving() as (_, handler, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(GET % b"flood")
        await until(lambda: handler.paused == 1)
        read = 0
        while not handler.go.is_set():
            read += len(await reader.read(65536))
        assert read > 0
        writer.close()


async def test_a_reader_that_never_reads_is_dropped() -> None:
    async with serving(WireLimits(write_stall_seconds=0.1)) as (server, handler, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(GET % b"flood")
        await until(lambda: handler.paused == 1)
        await until(lambda: server.connection_count == 0)
        assert not handler.go.is_set()
        writer.close()


async def deadlines_pass(seconds: float = 0.3) -> None:
    """Until deadlines of a tenth of a second have run out, and the server has looked."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await until(lambda: loop.time() > began + seconds)


async def test_half_a_second_request_leaves_the_first_its_answer() -> None:
    async with serving(WireLimits(header_seconds=0.1)) as (_, handler, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET % b"wait" + b"GET /half HTT")
        await until(lambda: handler.vetted == 1)
        await deadlines_pass()
        handler.go.set()
        answer = await asyncio.wait_for(reader.read(), 5)
        assert b"/wait" in answer
        assert answer.rindex(b"HTTP/1.1 408 ") > answer.index(b"/wait")
        writer.close()


async def test_what_is_not_read_because_of_an_earlier_answer_does_not_run_out_of_time() -> None:
    limits = WireLimits(header_seconds=0.1, body_seconds=0.1, pipelined=2)
    async with serving(limits) as (_, handler, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        begun = b"POST /last HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na"
        writer.write(GET % b"wait" + GET % b"1" + GET % b"2" + begun)
        await until(lambda: handler.vetted == 4)
        writer.write(b"bc")
        await deadlines_pass()
        handler.go.set()
        answer = await asyncio.wait_for(reader.readuntil(b"/last"), 5)
        assert answer.count(b"HTTP/1.1 200 ") == 4
        writer.close()


async def test_bodies_sent_ahead_of_the_answers_fill_no_memory() -> None:
    async with serving() as (_, handler, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        body = b"x" * 300_000
        post = b"POST /next HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        writer.write(GET % b"wait" + post * 10)
        await until(lambda: handler.vetted > 1)
        seen = -1
        while seen != handler.vetted:
            seen = handler.vetted
            await asyncio.sleep(0.1)  # nothing more has been read for so long
        assert seen < 4
        handler.go.set()
        await until(lambda: handler.vetted == 11)
        writer.close()


async def test_who_reads_slowly_is_served_and_who_stops_is_dropped() -> None:
    async with serving(WireLimits(write_stall_seconds=0.5)) as (server, handler, port):
        with socket.socket() as caller:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            caller.connect(("127.0.0.1", port))
            caller.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(caller, GET % b"flood")
            await until(lambda: handler.paused == 1)
            reading = asyncio.create_task(deadlines_pass(1.2))
            while not reading.done():
                assert await loop.sock_recv(caller, 1024)
                await asyncio.sleep(0.01)  # as a slow caller does
            assert server.connection_count == 1
            assert not handler.go.is_set(), "it has read everything"
            await until(lambda: server.connection_count == 0)


async def test_where_there_are_too_many_the_one_idle_longest_makes_room() -> None:
    async with serving(WireLimits(connections=3)) as (server, handler, port):
        busy_reader, busy = await asyncio.open_connection("127.0.0.1", port)
        busy.write(GET % b"wait")
        await until(lambda: handler.vetted == 1)
        idle = []
        for _ in range(2):
            idle.append(await asyncio.open_connection("127.0.0.1", port))
            await until(lambda: server.connection_count == len(idle) + 1)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET % b"new")
        assert (await asyncio.wait_for(reader.readuntil(b"/new"), 5)).startswith(b"HTTP/1.1 200 ")
        with suppress(ConnectionError):
            assert await asyncio.wait_for(idle[0][0].read(), 5) == b""
        assert server.evicted == 1
        idle[1][1].write(GET % b"later")
        await asyncio.wait_for(idle[1][0].readuntil(b"/later"), 5)
        handler.go.set()
        await asyncio.wait_for(busy_reader.readuntil(b"/wait"), 5)
        for one in (busy, writer, *(held for _, held in idle)):
            one.close()


async def test_a_request_that_a_drain_meets_on_its_way_is_answered_as_the_last() -> None:
    async with serving() as (server, _handler, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET % b"first")
        await reader.readuntil(b"/first")
        draining = asyncio.create_task(server.drain(10))
        await until(lambda: server.draining)
        writer.write(GET % b"second")
        answer = await asyncio.wait_for(reader.read(), 5)
        assert answer.endswith(b"/second")
        assert b"connection: close\r\n" in answer
        await draining
        writer.close()


async def test_a_drain_ends_no_connection_whose_caller_has_heard_of_none() -> None:
    async with serving() as (server, handler, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET % b"parked")
        head = await reader.readuntil(b":\n\n")
        assert b"connection: close" not in head
        draining = asyncio.create_task(server.drain(10))
        await until(lambda: server.draining)
        handler.go.set()
        await asyncio.wait_for(reader.readuntil(b"at last\r\n0\r\n\r\n"), 5)
        writer.write(GET % b"second")
        answer = await asyncio.wait_for(reader.read(), 5)
        assert b"connection: close\r\n" in answer
        await draining
        writer.close()


async def test_draining_ends_requests_under_way_well_and_takes_no_new_ones() -> None:
    async with serving() as (server, handler, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET % b"wait")
        await until(lambda: server.connection_count == 2)
        await asyncio.sleep(0.01)
        draining = asyncio.create_task(server.drain(5))
        assert await idle_reader.read() == b""
        handler.go.set()
        answer = await reader.read()
        assert answer.endswith(b"/wait")
        assert b"connection: close\r\n" in answer
        await draining
        writer.close()
        idle_writer.close()


async def test_an_error_of_our_own_is_answered_and_closes_the_connection() -> None:
    async with serving() as (_, _handler, port):
        for path in (b"fails", b"vet-fails"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(GET % path)
            answer = await asyncio.wait_for(reader.read(), 5)
            assert answer.startswith(b"HTTP/1.1 500 "), path
            assert b"connection: close\r\n" in answer
            writer.close()


async def test_an_error_after_the_first_byte_ends_the_stream_without_its_last_chunk() -> None:
    async with serving() as (_, _handler, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET % b"fails-late")
        answer = await asyncio.wait_for(reader.read(), 5)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"5\r\nbegun\r\n")
        writer.close()


async def test_an_error_while_an_error_is_answered_cuts_the_connection_and_no_other() -> None:
    async with serving() as (_, _handler, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET % b"fails-twice")
        with suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET % b"after")
        assert (await asyncio.wait_for(reader.readuntil(b"/after"), 5)).startswith(b"HTTP/1.1 200 ")
        writer.close()
