"""Does a gateway follow the ModelRoutes that the operator accepts, and no others? Both run as processes."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from support.cluster.cluster import Cluster, condition, start
from support.cluster.objects import Objects
from support.cluster.shared import fresh_namespace
from support.gateway import Key, make_key, make_snapshot, write_access
from support.gateway_of_cluster import PROJECT, ClusterGateway, cluster_gateway, slice_of
from support.kind_objects import route
from support.model_objects import model, says
from support.running_operator import operator
from support.scripted_engine import ScriptedEngine
from support.until import until

Engines = Callable[[str], Awaitable[ScriptedEngine]]
SECONDS = 60.0
STRANGER = "others"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """The operator, and no controllers: slices are what a test makes."""
    with start() as cluster, operator(cluster):
        yield cluster


@pytest.fixture
def objects(cluster: Cluster) -> Objects:
    """Objects in a namespace of the gateway's project, which is this test's alone."""
    objects = fresh_namespace(cluster)
    cluster.objects.merge("Namespace", objects.namespace, {"metadata": {"labels": {"mizzen.dev/project": PROJECT}}})
    return objects


@pytest.fixture
def stranger() -> Key:
    """A key of another project."""
    return make_key(STRANGER)


@pytest.fixture
def gateway(cluster: Cluster, tmp_path: Path, stranger: Key) -> Iterator[ClusterGateway]:
    """One gateway, running, that knows the stranger's key too."""
    with cluster_gateway(cluster, tmp_path / "gateway") as gateway:
        snapshot = make_snapshot([gateway.key, stranger], (PROJECT, STRANGER))
        write_access(gateway.folder / "data", snapshot)
        gateway.process.start()
        gateway.wait_ready()
        yield gateway


async def serve(objects: Objects, name: str, engines: Engines) -> None:
    """A deployment with one engine behind it, whose answers say its name; ready as far as a gateway can see."""
    engine = await engines(name)
    objects.create(model(name))
    found = objects.wait("ModelDeployment", name, lambda one: bool(one.get("status", {}).get("revisions")), SECONDS)
    assert found["status"]["project"] == PROJECT
    objects.create(slice_of(name, found["status"]["revisions"][0]["hash"], engine.port))


async def shares(gateway: ClusterGateway, model: str, count: int) -> Counter[str]:
    async with httpx.AsyncClient(trust_env=False, headers=gateway.key.headers, timeout=20) as client:
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
        url = f"http://127.0.0.1:{gateway.port}/v1/chat/completions"
        answers = [await client.post(url, json=body) for _ in range(count)]
    refused = [one.text for one in answers if one.status_code != 200]
    assert not refused, refused[0]
    return Counter(one.json()["choices"][0]["message"]["content"] for one in answers)


def weighted(**weights: int) -> list[dict[str, object]]:
    """Rules of a route."""
    return [{"name": "all", "backends": [{"deployment": one, "weight": weight} for one, weight in weights.items()]}]


async def test_requests_of_a_route_follow_its_weights_and_what_becomes_of_them(
    gateway: ClusterGateway, objects: Objects, engines: Engines, stranger: Key
) -> None:
    for name in ("one", "two"):
        await serve(objects, name, engines)
        await gateway.served(name)
    objects.create(route("chat", objects.namespace, rules=weighted(one=3, two=1)))
    objects.wait("ModelRoute", "chat", says("Accepted"), SECONDS)
    await gateway.served("chat")
    assert {"chat", "one", "two"} <= set(gateway.models())

    found = await shares(gateway, "chat", 400)
    assert set(found) == {"one", "two"}
    assert 240 <= found["one"] <= 360, found  # seven standard deviations around 300
    assert counted(gateway) == found, "metrics name the deployment that answered"

    elsewhere = replace(gateway, key=stranger)
    for name in ("chat", f"{PROJECT}/chat"):
        answer = await elsewhere.ask(name)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
    assert elsewhere.models() == []

    objects.merge("ModelRoute", "chat", {"spec": {"rules": weighted(two=1)}})
    await _until_only(gateway, "chat", "two")
    objects.delete("ModelRoute", "chat")
    await until(lambda: "chat" not in gateway.models(), SECONDS)
    assert (await gateway.ask("chat")).status_code == 404
    assert await gateway.ask_ok("two") == "two"


async def test_a_deployment_that_goes_leaves_the_others_of_a_route_answering(
    gateway: ClusterGateway, objects: Objects, engines: Engines
) -> None:
    for name in ("staying", "going"):
        await serve(objects, name, engines)
    objects.create(route("pair", objects.namespace, rules=weighted(staying=1, going=3)))
    await gateway.served("pair")
    objects.delete("ModelDeployment", "going")
    objects.wait("ModelRoute", "pair", says("ResolvedRefs", "False", "BackendNotFound"), SECONDS)
    await _until_only(gateway, "pair", "staying")


async def test_a_fallback_answers_while_no_backend_has_an_endpoint(
    gateway: ClusterGateway, objects: Objects, engines: Engines
) -> None:
    objects.create(model("silent"))
    await serve(objects, "spare", engines)
    rules = [{**weighted(silent=1)[0], "fallbacks": [{"deployment": "spare", "causes": ["NotReady"]}]}]
    objects.create(route("steady", objects.namespace, rules=rules))
    await gateway.served("steady")
    await _until_only(gateway, "steady", "spare")
    answer = await gateway.ask("steady")
    assert answer.json()["model"] == "steady", "callers see the name that they asked for"


async def test_a_route_that_asks_for_what_gateways_do_not_do_is_told_so_and_is_unknown(
    gateway: ClusterGateway, objects: Objects, engines: Engines
) -> None:
    await serve(objects, "real", engines)
    await gateway.served("real")
    rules = [{"name": "all", "pipeline": [{"name": "one", "deployment": "real"}], "sticky": {}}]
    objects.create(route("piped", objects.namespace, rules=rules))
    found = objects.wait("ModelRoute", "piped", says("Accepted", "False", "NotServedYet"), SECONDS)
    sentence = "Gateways do not do this: spec.rules[0].sticky (each step of a pipeline is one backend"
    assert sentence in condition(found, "Accepted")["message"]
    assert condition(found, "Ready")["status"] == "False"
    objects.create(route("plain", objects.namespace, "real"))
    await gateway.served("plain")  # so this gateway has heard of the other one too
    assert "piped" not in gateway.models()
    assert (await gateway.ask("piped")).status_code == 404

    objects.merge("ModelRoute", "piped", {"spec": {"rules": weighted(real=1)}})
    await gateway.served("piped")
    assert await gateway.ask_ok("piped") == "real"
    objects.merge("ModelRoute", "piped", {"spec": {"rules": rules}})
    await until(lambda: "piped" not in gateway.models(), SECONDS)


async def test_a_deployment_keeps_its_name_unless_the_route_leads_to_it(
    gateway: ClusterGateway, objects: Objects, engines: Engines
) -> None:
    for name in ("mine", "other"):
        await serve(objects, name, engines)
        await gateway.served(name)
    objects.create(route("mine", objects.namespace, rules=weighted(other=1)))
    found = objects.wait("ModelRoute", "mine", says("Accepted", "False", "NameTaken"), SECONDS)
    assert f"the deployment {objects.namespace}/mine" in condition(found, "Accepted")["message"]
    assert await gateway.ask_ok("mine") == "mine"
    objects.merge("ModelRoute", "mine", {"spec": {"rules": weighted(other=1, mine=0)}})
    await _until_only(gateway, "mine", "other")
    objects.delete("ModelRoute", "mine")
    await _until_only(gateway, "mine", "mine")


async def test_a_route_gives_way_to_a_deployment_that_takes_its_name_and_comes_back_when_that_goes(
    gateway: ClusterGateway, objects: Objects, engines: Engines
) -> None:
    await serve(objects, "behind", engines)
    objects.create(route("later", objects.namespace, "behind"))
    await gateway.served("later")
    await _until_only(gateway, "later", "behind")
    await serve(objects, "later", engines)
    objects.wait("ModelRoute", "later", says("Accepted", "False", "NameTaken"), SECONDS)
    await _until_only(gateway, "later", "later")
    objects.delete("ModelDeployment", "later")
    objects.wait("ModelRoute", "later", says("Accepted"), SECONDS)
    await _until_only(gateway, "later", "behind")


async def test_a_gateway_that_starts_without_an_api_server_follows_the_routes_that_it_knew(
    gateway: ClusterGateway, objects: Objects, engines: Engines, cluster: Cluster
) -> None:
    await serve(objects, "kept", engines)
    objects.create(route("known", objects.namespace, "kept"))
    await gateway.served("known")
    copy = gateway.folder / "data" / "objects.json"
    await until(lambda: copy.exists() and '"ModelRoute"' in copy.read_text(), SECONDS)
    cluster.api_server.kill()
    try:
        gateway.process.restart()
        gateway.wait_ready()
        assert await gateway.ask_ok("known") == "kept"
    finally:
        cluster.api_server.start()
        cluster.wait_ready()


def counted(gateway: ClusterGateway) -> Counter[str]:
    """Admitted requests by the model that they are metered under."""
    text = httpx.get(f"http://127.0.0.1:{gateway.admin_port}/metrics", trust_env=False).text
    found = re.findall(r'^mizzen_gateway_requests_total{model="(.*?)",.*} (\S+)$', text, re.MULTILINE)
    assert found, text
    return Counter({model: int(float(count)) for model, count in found})


async def _until_only(gateway: ClusterGateway, model: str, deployment: str) -> None:
    """Return once twenty answers come from this deployment alone."""
    found: set[str] = set()
    async with asyncio.timeout(SECONDS):
        while found != {deployment}:
            found = set(await shares(gateway, model, 20))
