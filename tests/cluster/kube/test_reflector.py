"""A reflector's picture is the server's, through every fault, and it never asks hot."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from mizzen_kube.api import Api, Selection
from mizzen_kube.backoff import Backoff
from mizzen_kube.kept import Change
from mizzen_kube.packed import Packed, Packing
from mizzen_kube.reflector import Attention, Reflector
from mizzen_kube.resources import CONFIG_MAPS, LEADER_WORKER_SETS, LOCAL_QUEUES, Resource
from support.cluster.cluster import Cluster
from support.cluster.fault_proxy import FaultProxy
from support.cluster.faults import Asked, Fault, Rule, is_watch
from support.cluster.objects import Objects
from support.kueue import install_queues, remove_queues
from support.until import until

HURRIED = Attention(watch=60.0, silence=2.0, absent=0.2)
SECONDS = 20.0


class Watching:
    """A reflector at work, and what it announced."""

    def __init__(self, api: Api, namespace: str, attention: Attention, resource: Resource) -> None:
        self.changes: list[Change] = []
        self.came_and_went: list[bool] = []
        self.reflector: Reflector[Packed] = Reflector(
            api,
            resource,
            Selection(namespace, label_selector="test=yes"),
            keep=Packing(),
            on_change=self.changes.append,
            on_known=lambda: self.came_and_went.append(not self.reflector.absent),
            attention=attention,
            backoff=Backoff(shortest=0.1, longest=1.0),
        )

    def data(self) -> dict[str, Any]:
        """What the picture holds of each object."""
        return {key[1]: value.manifest.get("data") for key, value in self.reflector.items()}

    def told(self) -> list[tuple[str, str]]:
        """What was announced."""
        return [(change.type, change.key[1]) for change in self.changes]


@asynccontextmanager
async def watching(
    api: Api, namespace: str, attention: Attention = HURRIED, resource: Resource = CONFIG_MAPS
) -> AsyncIterator[Watching]:
    at_work = Watching(api, namespace, attention, resource)
    task = asyncio.create_task(at_work.reflector.run())
    try:
        await until(at_work.reflector.synced.is_set, SECONDS)
        yield at_work
        assert not task.done(), "the reflector ended"
    finally:
        task.cancel()


def settings(name: str, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {"test": "yes"}},
        "data": data,
    }


async def make(objects: Objects, name: str, **data: str) -> None:
    await asyncio.to_thread(objects.create, settings(name, **data))


async def change(objects: Objects, name: str, **data: str) -> None:
    await asyncio.to_thread(objects.merge, "ConfigMap", name, {"data": data})


def lists(each: Asked) -> bool:
    return each.verb == "list" and each.resource == "configmaps"


async def test_the_picture_follows_the_server(api: Api, objects: Objects) -> None:
    await make(objects, "first", a="1")
    async with watching(api, objects.namespace) as seen:
        assert seen.data() == {"first": {"a": "1"}}
        await make(objects, "second", a="2")
        await change(objects, "first", a="3")
        await until(lambda: seen.data() == {"first": {"a": "3"}, "second": {"a": "2"}})
        await asyncio.to_thread(objects.delete, "ConfigMap", "second")
        await until(lambda: seen.data() == {"first": {"a": "3"}})
        assert seen.told() == [("ADDED", "first"), ("ADDED", "second"), ("MODIFIED", "first"), ("DELETED", "second")]
        assert "managedFields" not in seen.reflector.get(objects.namespace, "first").manifest["metadata"]


async def test_owned_objects_are_found_by_their_owner(api: Api, objects: Objects) -> None:
    owner = await asyncio.to_thread(objects.create, settings("owner"))
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    child = settings("child")
    child["metadata"]["ownerReferences"] = [{**reference, "controller": True}]
    await asyncio.to_thread(objects.create, child)
    async with watching(api, objects.namespace) as seen:
        (found,) = seen.reflector.by_owner(owner["metadata"]["uid"])
        assert found.manifest["metadata"]["name"] == "child"
        await asyncio.to_thread(objects.merge, "ConfigMap", "child", {"metadata": {"ownerReferences": None}})
        await until(lambda: not seen.reflector.by_owner(owner["metadata"]["uid"]))
        assert seen.changes[-1].owners == (owner["metadata"]["uid"],), "the owner that lost it is told"


async def test_an_own_write_is_seen_at_once_and_not_undone_by_old_news(api: Api, objects: Objects) -> None:
    await make(objects, "first", a="1")
    async with watching(api, objects.namespace) as seen:
        old = await asyncio.to_thread(objects.get, "ConfigMap", "first")
        new = await asyncio.to_thread(objects.merge, "ConfigMap", "first", {"data": {"a": "2"}})
        seen.reflector.learn(new)
        seen.reflector.learn(old)
        assert seen.data() == {"first": {"a": "2"}}


async def test_an_answer_that_the_end_of_its_object_overtook_brings_nothing_back(api: Api, objects: Objects) -> None:
    await make(objects, "first")
    async with watching(api, objects.namespace) as seen:
        late = await asyncio.to_thread(objects.merge, "ConfigMap", "first", {"data": {"a": "2"}})
        await asyncio.to_thread(objects.delete, "ConfigMap", "first")
        await until(lambda: ("DELETED", "first") in seen.told() and seen.data() == {}, SECONDS)
        await make(objects, "second")
        await until(lambda: "second" in seen.data(), SECONDS)
        seen.reflector.learn(late)
        assert set(seen.data()) == {"second"}


FAULTS = {
    "410 as an event": Rule(Fault.EVENT, is_watch("configmaps"), status=410, times=3),
    "410 as an answer": Rule(Fault.ANSWER, is_watch("configmaps"), status=410, times=3),
    "500 as an event": Rule(Fault.EVENT, is_watch("configmaps"), status=500, times=3),
    "503": Rule(Fault.ANSWER, is_watch("configmaps"), status=503, times=3),
    "403": Rule(Fault.ANSWER, is_watch("configmaps"), status=403, times=3),
    "401": Rule(Fault.ANSWER, is_watch("configmaps"), status=401, times=4),
    "no JSON": Rule(Fault.TRUNCATE, is_watch("configmaps"), bytes=25, times=3),
    "reset": Rule(Fault.CUT, is_watch("configmaps"), times=3),
    "silence": Rule(Fault.SILENCE, is_watch("configmaps"), times=1),
    "lists cut short": Rule(Fault.TRUNCATE, lists, bytes=100, times=3),
    "lists refused": Rule(Fault.ANSWER, lists, status=500, times=3),
    "lists reset": Rule(Fault.CUT, lists, times=3),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_changed_during_a_fault_is_in_the_picture_after_it(
    through: Api, proxy: FaultProxy, objects: Objects, fault: str
) -> None:
    rule = FAULTS[fault]
    rule.seen = rule.taken = 0
    for name in ("stays", "changes", "goes"):
        await make(objects, name, a="1")
    async with watching(through, objects.namespace) as seen:
        proxy.add(rule)
        if rule.matches is lists:
            proxy.add(Rule(Fault.EVENT, is_watch("configmaps"), status=410, times=1))
        proxy.cut_connections()
        await change(objects, "changes", a="2")
        await asyncio.to_thread(objects.delete, "ConfigMap", "goes")
        await make(objects, "comes", a="1")
        wanted = {"stays": {"a": "1"}, "changes": {"a": "2"}, "comes": {"a": "1"}}
        await until(lambda: rule.taken == rule.times and seen.data() == wanted, SECONDS)
        await make(objects, "last")
        await until(lambda: "last" in seen.data(), SECONDS)
        assert sorted(seen.told()[3:]) == sorted(
            [("MODIFIED", "changes"), ("DELETED", "goes"), ("ADDED", "comes"), ("ADDED", "last")]
        ), "each change is announced once, and nothing else"
        assert len(proxy.requests) <= 20, "no fault is answered with a storm of requests"


ENDLESS = {
    "410 for ever": Rule(Fault.EVENT, is_watch("configmaps"), status=410),
    "ends at once": Rule(Fault.TRUNCATE, is_watch("configmaps"), bytes=1),
    "resets": Rule(Fault.CUT, is_watch("configmaps")),
    "429 without a time": Rule(Fault.ANSWER, is_watch("configmaps"), status=429),
    "500": Rule(Fault.ANSWER, is_watch("configmaps"), status=500),
    "401": Rule(Fault.ANSWER, is_watch("configmaps"), status=401),
}


@pytest.mark.parametrize("fault", ENDLESS)
async def test_a_fault_without_end_is_asked_about_ever_more_rarely(
    through: Api, proxy: FaultProxy, objects: Objects, fault: str
) -> None:
    await make(objects, "first")
    proxy.add(ENDLESS[fault])
    async with watching(through, objects.namespace) as seen:
        await until(lambda: sum(seen.reflector.restarts.values()) >= 7, SECONDS)
        watches = [each.at for each in proxy.requests if each.verb == "watch"]
        gaps = [later - earlier for earlier, later in pairwise(watches)]
        tries = [gap for gap in gaps if gap > 0.04]  # a 401 is tried once more at once
        assert tries[-1] > 0.4, f"the pause does not grow: {gaps}"
        assert len(proxy.requests) <= 4 * 7


async def test_a_server_that_asks_to_wait_is_not_asked_sooner(
    through: Api, proxy: FaultProxy, objects: Objects
) -> None:
    busy = Rule(Fault.ANSWER, is_watch("configmaps"), status=429, headers={"Retry-After": "2"}, times=2)
    proxy.add(busy)
    async with watching(through, objects.namespace) as seen:
        await until(lambda: len([each for each in proxy.requests if each.verb == "watch"]) == 3, SECONDS)
        watches = [each.at for each in proxy.requests if each.verb == "watch"]
        assert min(later - earlier for earlier, later in pairwise(watches)) >= 2
        await make(objects, "first")
        await until(lambda: "first" in seen.data(), SECONDS)


async def test_etcd_compacted_while_nobody_listens_loses_nothing(
    through: Api, proxy: FaultProxy, server: Cluster, objects: Objects
) -> None:
    await make(objects, "goes")
    async with watching(through, objects.namespace) as seen:
        with proxy.away():
            await asyncio.to_thread(objects.delete, "ConfigMap", "goes")
            await make(objects, "comes")
            await asyncio.to_thread(server.compact)
            await asyncio.to_thread(server.api_server.restart)
            await asyncio.to_thread(server.wait_ready)
            before = seen.reflector.restarts["gone"]
        await until(lambda: seen.data() == {"comes": {}} or seen.data() == {"comes": None}, SECONDS)
        assert sorted(seen.told()[1:]) == [("ADDED", "comes"), ("DELETED", "goes")]
        assert seen.reflector.restarts["gone"] > before, "the server still knew the version; the test proves nothing"


async def test_a_kind_that_the_server_does_not_know_is_an_empty_picture_until_it_does(
    through: Api, proxy: FaultProxy, objects: Objects
) -> None:
    async with watching(through, objects.namespace, resource=LEADER_WORKER_SETS) as seen:
        assert seen.reflector.absent
        assert len(seen.reflector) == 0
        await until(lambda: seen.reflector.restarts["not_found"] >= 3, SECONDS)
        assert len(proxy.requests) <= 6


async def test_it_tells_when_a_kind_comes_and_when_it_has_gone_also_where_no_object_of_it_was(
    api: Api, server: Cluster, objects: Objects
) -> None:
    async with watching(api, objects.namespace, resource=LOCAL_QUEUES) as seen:
        await asyncio.to_thread(install_queues, server.objects)
        await until(lambda: not seen.reflector.absent, SECONDS)
        await asyncio.to_thread(remove_queues, server.objects)
        await until(lambda: seen.reflector.absent, SECONDS)
        assert seen.came_and_went == [False, True, False]


async def test_a_server_that_was_away_is_found_again(through: Api, proxy: FaultProxy, objects: Objects) -> None:
    await make(objects, "first", a="1")
    async with watching(through, objects.namespace) as seen:
        with proxy.away():
            await until(lambda: sum(seen.reflector.restarts.values()) >= 3, SECONDS)
            await change(objects, "first", a="2")
        await until(lambda: seen.data() == {"first": {"a": "2"}}, SECONDS)
