"""A bare API server, objects by hand, and the gateway as a process."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from support.cluster.cluster import Cluster, start
from support.cluster.objects import Objects
from support.cluster.shared import fresh_namespace
from support.gateway_of_cluster import ClusterGateway, cluster_gateway
from support.scripted_engine import Exchange, ScriptedEngine, completion, scripted_engine

Engines = Callable[[str], Awaitable[ScriptedEngine]]


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    """No controllers: pods and slices are what a test makes."""
    with start() as cluster:
        yield cluster


@pytest.fixture
def objects(cluster: Cluster) -> Objects:
    """Objects in a namespace of this test."""
    return fresh_namespace(cluster)


@pytest.fixture
def gateway(cluster: Cluster, tmp_path: Path) -> Iterator[ClusterGateway]:
    """One gateway, running; its objects were listed."""
    with cluster_gateway(cluster, tmp_path / "gateway") as gateway:
        gateway.process.start()
        gateway.wait_ready()
        yield gateway


@pytest.fixture
async def engines() -> AsyncIterator[Engines]:
    """`await engines("a")` starts an engine whose answers say `a`."""
    async with AsyncExitStack() as stack:

        async def begin(text: str) -> ScriptedEngine:
            async def answer(exchange: Exchange) -> None:
                await exchange.send_json(completion("chat", text))

            return await stack.enter_async_context(scripted_engine(answer))

        yield begin
