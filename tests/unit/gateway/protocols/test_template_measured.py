"""A model's chat template is measured by its engine's tokenizer: once for a revision, and only where there is one."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import orjson
import pytest
from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.protocols.openai.bounds import TEMPLATE_TOKENS
from mizzen_gateway.protocols.openai.call import OpenAICall, parse
from mizzen_gateway.protocols.openai.template import SPARE_TOKENS
from mizzen_gateway.routing.deployment import DeploymentFacts, EndpointFacts, EndpointSetFacts
from mizzen_gateway.routing.load import LoadBook
from mizzen_gateway.routing.target import Target
from mizzen_gateway.wire.request import Request

KEY = ("default", "m")


class Engine:
    """Tells its paths and counts tokens; notes what it is asked."""

    def __init__(self) -> None:
        self.asked = Counter[str]()
        self.paths = ["/v1/chat/completions", "/v1/completions", "/tokenize"]
        self.count: object = 1335
        self.status = 200
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ")[1].decode()
        self.asked[path] += 1
        told = {"paths": dict.fromkeys(self.paths)} if path == "/openapi.json" else {"count": self.count}
        status, body = (self.status if path == "/tokenize" else 200), orjson.dumps(told)
        writer.write(b"HTTP/1.1 %d X\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % (status, len(body)) + body)
        await writer.drain()
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


def serves(target: Target, engine: Engine, *revisions: str) -> None:
    pods = tuple(EndpointFacts(one, one, "127.0.0.1", engine.port, ready=True) for one in revisions)
    target.update_endpoints(EndpointSetFacts(KEY, "OpenAI", "vLLM", "m", pods, tuple((one, 50) for one in revisions)))


@pytest.fixture
def target(engine: Engine) -> Target:
    made = Target(DeploymentFacts(KEY, names=("m",)), LoadBook())
    serves(made, engine, "r1")
    return made


def call(operation: str = "chat.completions") -> OpenAICall:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "prompt": "hi"}
    made = parse(operation, Request(b"POST", b"/", b"/", {}, True, True, body=orjson.dumps(body)))
    assert isinstance(made, OpenAICall)
    return made


async def reserved(target: Target, pool: EnginePool) -> int:
    assert await call().check(target, pool) is None
    return call().estimate(target).input_tokens


async def test_a_long_system_prompt_of_the_template_is_reserved_from_the_first_request_on(
    engine: Engine, pool: EnginePool, target: Target
) -> None:
    before = call().estimate(target).input_tokens
    told = await asyncio.gather(*(reserved(target, pool) for _ in range(5)))
    assert set(told) == {before - TEMPLATE_TOKENS + 1335 + SPARE_TOKENS}
    assert engine.asked["/tokenize"] == 1
    serves(target, engine, "r1", "r1")
    assert await reserved(target, pool) == told[0]
    assert engine.asked["/tokenize"] == 1, "a replica more is no question more"


async def test_the_longest_template_of_all_revisions_counts_and_is_kept_while_nothing_runs(
    engine: Engine, pool: EnginePool, target: Target
) -> None:
    first = await reserved(target, pool)
    engine.count = 2000
    serves(target, engine, "r1", "r2")
    second = await reserved(target, pool)
    assert second - first == 2000 - 1335
    serves(target, engine)
    assert call().estimate(target).input_tokens == second
    serves(target, engine, "r1")
    assert await reserved(target, pool) == first


@pytest.mark.parametrize(("status", "count"), [(400, 0), (200, "many"), (200, -1), (500, 9)])
async def test_an_engine_that_does_not_tell_leaves_the_constant_and_is_not_asked_each_time(
    engine: Engine, pool: EnginePool, target: Target, status: int, count: object
) -> None:
    engine.status, engine.count = status, count
    before = call().estimate(target).input_tokens
    assert [await reserved(target, pool) for _ in range(3)] == [before] * 3
    assert engine.asked["/tokenize"] == 1


async def test_nobody_is_asked_who_has_no_tokenizer_to_lend_or_no_template(
    engine: Engine, pool: EnginePool, target: Target
) -> None:
    assert await call("completions").check(target, pool) is None
    assert engine.asked["/tokenize"] == 0
    engine.paths.remove("/tokenize")
    serves(target, engine, "r3")
    await reserved(target, pool)
    assert engine.asked["/tokenize"] == 0
