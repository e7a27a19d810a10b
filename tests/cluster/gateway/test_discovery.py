"""How does a gateway find pods in a cluster, and what does it do while the API server is away?"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from support.cluster.cluster import Cluster, start
from support.cluster.objects import Objects
from support.cluster.shared import fresh_namespace
from support.gateway_of_cluster import ClusterGateway, cluster_gateway, named, put_status, slice_of
from support.model_objects import model
from support.scripted_engine import ScriptedEngine
from support.until import until

Engines = Callable[[str], Awaitable[ScriptedEngine]]
MEMORY_BYTES = 75_000_000


def serve(objects: Objects, name: str, *engines: tuple[str, ScriptedEngine, int], runtime: str = "") -> None:
    """A deployment with an engine for each revision, and its percent of the traffic."""
    made = model(name)
    if runtime:
        made["spec"]["engine"] = {"type": "Custom", "runtimeRef": runtime}
    objects.create(made)
    put_status(objects, name, *((revision, percent) for revision, _, percent in engines))
    for revision, engine, _ in engines:
        objects.create(slice_of(name, revision, engine.port))


async def answers(gateway: ClusterGateway, count: int, model: str = "chat") -> Counter[str]:
    return Counter([await gateway.ask_ok(model) for _ in range(count)])


async def test_a_pod_takes_requests_within_a_second_of_its_slice(
    gateway: ClusterGateway, objects: Objects, engines: Engines
) -> None:
    engine = await engines("a")
    objects.create(model("soon"))
    put_status(objects, "soon", ("r1", 100))
    await gateway.served("soon")
    # The request comes first and is parked; what releases it is the slice.
    asking = asyncio.create_task(gateway.ask_ok("soon"))
    await asyncio.to_thread(objects.create, slice_of("soon", "r1", engine.port))
    async with asyncio.timeout(1.0):
        assert await asking == "a"


async def test_requests_follow_the_percents_of_the_status(
    gateway: ClusterGateway, objects: Objects, engines: Engines
) -> None:
    old, new = await engines("old"), await engines("new")
    serve(objects, "chat", ("r1", old, 90), ("r2", new, 10))
    await until(lambda: "chat" in gateway.models(), 20)
    await _until_answers(gateway, "chat", {"old", "new"})
    assert await answers(gateway, 100) == {"old": 90, "new": 10}
    put_status(objects, "chat", ("r1", 0), ("r2", 100))
    await _until_answers(gateway, "chat", {"new"})
    assert await answers(gateway, 20) == {"new": 20}


async def test_a_terminating_pod_gets_nothing_new(gateway: ClusterGateway, objects: Objects, engines: Engines) -> None:
    staying, going = await engines("staying"), await engines("going")
    serve(objects, "pair", ("r1", staying, 100))
    objects.create(slice_of("pair", "r1", going.port))
    await gateway.served("pair")
    await _until_answers(gateway, "pair", {"staying", "going"})
    ends = slice_of("pair", "r1", going.port, ready=False, serving=True, terminating=True)
    objects.apply(named(ends, objects), force=True)
    await _until_answers(gateway, "pair", {"staying"})
    before = len(going.exchanges)
    assert await answers(gateway, 30, "pair") == {"staying": 30}
    assert len(going.exchanges) == before


async def test_a_deployment_serves_no_one_before_the_operator_names_its_project(
    gateway: ClusterGateway, objects: Objects, engines: Engines
) -> None:
    engine = await engines("a")
    serve(objects, "known", ("r1", engine, 100))
    objects.create(model("unknown"))
    await gateway.served("known")
    assert "unknown" not in gateway.models()
    put_status(objects, "known", ("r1", 100), project="others")
    await until(lambda: "known" not in gateway.models(), 10)
    assert (await gateway.ask("known")).status_code == 404


async def test_a_deleted_deployment_is_unknown(gateway: ClusterGateway, objects: Objects, engines: Engines) -> None:
    serve(objects, "gone", ("r1", await engines("a"), 100))
    await gateway.served("gone")
    objects.delete("ModelDeployment", "gone")
    await until(lambda: "gone" not in gateway.models(), 10)


async def test_a_custom_engine_speaks_what_its_runtime_says(
    gateway: ClusterGateway, objects: Objects, engines: Engines
) -> None:
    name = f"own-{objects.namespace}"
    runtime = {
        "engine": "Custom",
        "protocol": "OpenAI",
        "image": "example.org/engine",
        "command": ["engine"],
        "ports": [{"name": "http", "containerPort": 8000}],
        "readiness": {"path": "/"},
        "liveness": {"path": "/"},
    }
    serve(objects, "own", ("r1", await engines("own"), 100), runtime=name)
    await gateway.served("own")
    objects.create(
        {
            "apiVersion": "mizzen.dev/v1alpha1",
            "kind": "ServingRuntime",
            "metadata": {"name": name},
            "spec": runtime,
        }
    )
    assert await gateway.ask_ok("own") == "own"  # parked until the runtime is there


async def test_requests_flow_on_while_the_api_server_is_away_and_news_is_taken_up_when_it_is_back(
    tmp_path: Path, engines: Engines
) -> None:
    first, second = await engines("first"), await engines("second")
    with start() as cluster, cluster_gateway(cluster, tmp_path / "gateway") as gateway:
        objects = fresh_namespace(cluster)
        serve(objects, "chat", ("r1", first, 100))
        gateway.process.start()
        gateway.wait_ready()
        await _until_answers(gateway, "chat", {"first"})
        await until((gateway.folder / "data" / "objects.json").exists, 10)

        cluster.api_server.kill()
        assert await answers(gateway, 50) == {"first": 50}
        gateway.process.restart()
        gateway.wait_ready()
        assert await answers(gateway, 50) == {"first": 50}

        cluster.api_server.start()
        cluster.wait_ready()
        objects.create(slice_of("chat", "r2", second.port))
        put_status(objects, "chat", ("r1", 0), ("r2", 100))
        await _until_answers(gateway, "chat", {"second"}, seconds=30)


async def test_a_gateway_is_small_and_never_loads_the_generated_client(
    gateway: ClusterGateway, objects: Objects, engines: Engines, cluster: Cluster
) -> None:
    serve(objects, "small", ("r1", await engines("a"), 100))
    await _until_answers(gateway, "small", {"a"})
    assert await answers(gateway, 200, "small") == {"a": 200}
    loaded = gateway.modules()
    assert "mizzen_kube.reflector" in loaded
    assert not [name for name in loaded if name == "kubernetes" or name.startswith("kubernetes.")]
    assert gateway.resident_bytes() <= MEMORY_BYTES


async def _until_answers(gateway: ClusterGateway, model: str, wanted: set[str], seconds: float = 20.0) -> None:
    """Return once twenty answers come from exactly these engines."""
    seen: set[str] = set()
    async with asyncio.timeout(seconds):
        while seen != wanted:
            found = [await gateway.ask(model) for _ in range(20)]
            seen = {
                one.json()["choices"][0]["message"]["content"] if one.status_code == 200 else str(one.status_code)
                for one in found
            }
