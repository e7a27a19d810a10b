"""Engines that behave, and those that do not: kept connections, endings, silence, nonsense."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from mizzen_gateway.engine.exchange import Collected, EngineFailureError, EngineRequest
from mizzen_gateway.engine.pool import EnginePool
from support.scripted_engine import Exchange, scripted_engine
from support.until import until

ASK = EngineRequest("/x", b"{}")


@pytest.fixture
async def pool() -> AsyncIterator[EnginePool]:
    made = EnginePool()
    yield made
    made.close()


async def ask(pool: EnginePool, address: tuple[str, int], limit: int = 1000, seconds: float = 5.0) -> Collected:
    answer = Collected(limit)
    await pool.exchange(address, ASK, answer, seconds, seconds)
    return answer


async def test_a_connection_is_kept_for_the_next_request(pool: EnginePool) -> None:
    async def well(exchange: Exchange) -> None:
        await exchange.send(200, b"ok")

    async with scripted_engine(well) as engine:
        for _ in range(3):
            assert (await ask(pool, engine.address)).body == b"ok"
        assert len({exchange.writer for exchange in engine.exchanges}) == 1


async def test_a_connection_that_ends_paused_is_not_kept(pool: EnginePool) -> None:
    async def well(exchange: Exchange) -> None:
        await exchange.send(200, b"ok")

    async with scripted_engine(well) as engine:
        connection = await pool.connect(engine.address)

        class Pauses(Collected):
            def on_body(self, data: bytes) -> None:
                super().on_body(data)
                connection.pause()

        await connection.exchange(ASK, Pauses(1000), 5, 5)
        pool.release(engine.address, connection)
        assert (await ask(pool, engine.address)).body == b"ok"
        assert len({exchange.writer for exchange in engine.exchanges}) == 2


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", b"ok"),
    ],
)
async def test_every_way_to_end_a_response_is_understood(pool: EnginePool, raw: bytes, body: bytes) -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.writer.write(raw)
        await exchange.writer.drain()
        exchange.writer.close()

    async with scripted_engine(answer) as engine:
        assert (await ask(pool, engine.address)).body == body


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"", "broken"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", "broken"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", "broken"),
        (b"SSH-2.0-nonsense\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000, "malformed"),
        (b"HTTP/1.1 200 OK\r\n" + b"".join(b"X%d: 1\r\n" % one for one in range(300)) + b"\r\n", "malformed"),
    ],
)
async def test_a_response_that_is_not_whole_or_not_http_is_a_failure(pool: EnginePool, raw: bytes, kind: str) -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.writer.write(raw)
        await exchange.writer.drain()
        exchange.writer.close()

    async with scripted_engine(answer) as engine:
        with pytest.raises(EngineFailureError) as failed:
            await ask(pool, engine.address)
    assert failed.value.kind == kind


async def test_silence_is_ended_by_the_deadline(pool: EnginePool) -> None:
    async def silent(_exchange: Exchange) -> None:
        await asyncio.Event().wait()

    async with scripted_engine(silent) as engine:
        with pytest.raises(EngineFailureError) as failed:
            await ask(pool, engine.address, seconds=0.1)
        assert (failed.value.kind, failed.value.began) == ("timeout", False)
        await asyncio.wait_for(engine.gone.wait(), 5)


async def test_nobody_there_is_a_failure_to_connect(pool: EnginePool) -> None:
    async with scripted_engine(lambda _exchange: asyncio.sleep(0)) as engine:
        address = engine.address
    with pytest.raises(EngineFailureError) as failed:
        await ask(pool, address)
    assert failed.value.kind == "connect"


async def test_a_second_answer_to_one_request_ends_the_connection(pool: EnginePool) -> None:
    async def twice(exchange: Exchange) -> None:
        await exchange.send(200, b"mine")
        await exchange.send(200, b"not mine")

    async with scripted_engine(twice) as engine:
        bodies = []
        for _ in range(3):
            try:
                bodies.append((await ask(pool, engine.address)).body)
            except EngineFailureError:
                continue
        assert set(bodies) <= {b"mine"}


async def test_connections_to_an_engine_that_goes_away_are_closed_idle_ones_at_once_busy_ones_afterwards(
    pool: EnginePool,
) -> None:
    go = asyncio.Event()

    async def well(exchange: Exchange) -> None:
        if len(engine.exchanges) == 2:
            await go.wait()
        await exchange.send(200, b"ok")

    async with scripted_engine(well) as engine:
        idle = await pool.connect(engine.address)
        await idle.exchange(ASK, Collected(1000), 5.0, 5.0)
        busy = asyncio.create_task(ask(pool, engine.address))
        await until(lambda: len(engine.exchanges) == 2)
        pool.release(engine.address, idle)
        assert idle.reusable
        pool.leave(engine.address)
        assert not idle.reusable
        assert not busy.done()
        go.set()
        assert (await busy).body == b"ok"
        assert (await ask(pool, engine.address)).body == b"ok"
        assert len({exchange.writer for exchange in engine.exchanges}) == 3


class Pieces:
    """Keeps what it is handed, call by call."""

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails
        self.handed: list[bytes] = []

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """Nothing."""

    def on_body(self, data: bytes) -> None:
        """Keep it."""
        if self.fails:
            raise EngineFailureError("malformed", True, "unfit")
        self.handed.append(data)


async def test_events_that_come_together_are_handed_on_together(pool: EnginePool) -> None:
    async def answer(exchange: Exchange) -> None:
        chunks = b"".join(b"5\r\none%d\n\r\n" % number for number in range(4))
        exchange.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")

    sink = Pieces()
    async with scripted_engine(answer) as engine:
        await pool.exchange(engine.address, ASK, sink, 5.0, 5.0)
    assert sink.handed == [b"one0\none1\none2\none3\n"]


async def test_what_a_sink_cannot_take_ends_the_exchange_though_the_response_is_whole(pool: EnginePool) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(200, b"ok")

    async with scripted_engine(answer) as engine:
        with pytest.raises(EngineFailureError, match="unfit"):
            await pool.exchange(engine.address, ASK, Pieces(fails=True), 5.0, 5.0)


async def test_what_came_before_nonsense_is_handed_on(pool: EnginePool) -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nnonsense")

    sink = Pieces()
    async with scripted_engine(answer) as engine:
        with pytest.raises(EngineFailureError, match="does not speak HTTP"):
            await pool.exchange(engine.address, ASK, sink, 5.0, 5.0)
    assert sink.handed == [b"ok"]


@pytest.mark.parametrize("size", [1, 70_000, 3_000_000])
async def test_a_long_tail_of_a_body_arrives_behind_it(pool: EnginePool, size: int) -> None:
    async def well(exchange: Exchange) -> None:
        await exchange.send(200, b"ok")

    tail = bytes(number * 7 & 255 for number in range(size))
    request = EngineRequest("/x", b"{}", tail=memoryview(tail))
    async with scripted_engine(well) as engine:
        await pool.exchange(engine.address, request, Collected(1000), 5.0, 5.0)
        assert engine.exchanges[0].body == request.whole == b"{}" + tail
