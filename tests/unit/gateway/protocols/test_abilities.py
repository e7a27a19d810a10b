"""What an engine has is asked once for a revision, by however many callers; a silent one is not asked each time."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.protocols.openai.abilities import HELD, abilities_of, lacking
from mizzen_gateway.routing.deployment import DeploymentFacts, EndpointFacts, EndpointSetFacts
from mizzen_gateway.routing.load import LoadBook
from mizzen_gateway.routing.target import Target

KEY = ("default", "m")


class Engine:
    """Counts what it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer: bytes | None = b'{"paths": {"/v1/completions": {}}}'
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        if self.answer is not None:
            head = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(self.answer)
            writer.write(head + self.answer)
        writer.close()


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    made = Engine()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


@pytest.fixture
async def pool() -> AsyncIterator[EnginePool]:
    made = EnginePool()
    yield made
    made.close()


def target(*pods: EndpointFacts) -> Target:
    made = Target(DeploymentFacts(KEY, names=("m",)), LoadBook())
    made.update_endpoints(endpoints(*pods))
    return made


def endpoints(*pods: EndpointFacts) -> EndpointSetFacts:
    return EndpointSetFacts(KEY, "OpenAI", "vLLM", "m", pods, (("r1", 100),))


def pod(engine: Engine, name: str = "p0", revision: str = "r1") -> EndpointFacts:
    return EndpointFacts(name, revision, "127.0.0.1", engine.port, ready=True)


async def test_many_callers_at_once_make_one_question(engine: Engine, pool: EnginePool) -> None:
    asked = target(pod(engine))
    found = await asyncio.gather(*(lacking(asked, pool, "/v1/score", "m") for _ in range(50)))
    assert {one.code for one in found if one is not None} == {"endpoint_not_available"}
    assert await lacking(asked, pool, "/v1/completions", "m") is None
    assert engine.asked == 1


async def test_a_caller_that_leaves_ends_the_question_for_nobody_else(engine: Engine, pool: EnginePool) -> None:
    asked = target(pod(engine))
    leaves = asyncio.create_task(abilities_of(asked, pool))
    stays = asyncio.create_task(abilities_of(asked, pool))
    await asyncio.sleep(0)
    leaves.cancel()
    assert await stays == {"/v1/completions"}
    assert engine.asked == 1


async def test_replicas_that_come_and_go_cost_no_question(engine: Engine, pool: EnginePool) -> None:
    asked = target(pod(engine))
    await abilities_of(asked, pool)
    asked.update_endpoints(endpoints(pod(engine), pod(engine, "p1")))
    assert await abilities_of(asked, pool) == {"/v1/completions"}
    assert engine.asked == 1
    asked.update_endpoints(endpoints(pod(engine), pod(engine, "p2", "r2")))
    await abilities_of(asked, pool)
    assert engine.asked == 2


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"paths": []}'])
async def test_an_engine_that_says_nothing_is_taken_at_its_word(
    engine: Engine, pool: EnginePool, answer: bytes
) -> None:
    engine.answer = answer
    asked = target(pod(engine))
    assert await lacking(asked, pool, "/v1/score", "m") is None
    assert await lacking(asked, pool, "/v1/score", "m") is None
    assert engine.asked == 1


async def test_an_engine_that_breaks_off_is_not_asked_by_each_request(engine: Engine, pool: EnginePool) -> None:
    engine.answer = None
    asked = target(pod(engine))
    for _ in range(5):
        assert await lacking(asked, pool, "/v1/score", "m") is None
    assert engine.asked == 1
    del asked.metadata[HELD]
    engine.answer = b'{"paths": {"/v1/completions": {}}}'
    assert await lacking(asked, pool, "/v1/score", "m") is not None


async def test_without_a_replica_nobody_is_asked(engine: Engine, pool: EnginePool) -> None:
    assert await abilities_of(target(), pool) is None
    assert engine.asked == 0
