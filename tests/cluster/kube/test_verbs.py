"""What each verb does on a real API server, and which error each refusal is."""

import asyncio
from typing import Any

import pytest
from mizzen_kube.api import Api, Selection
from mizzen_kube.errors import (
    AlreadyExistsError,
    ConflictError,
    FencedError,
    GoneError,
    InvalidError,
    NotFoundError,
)
from mizzen_kube.resources import CONFIG_MAPS, LEADER_WORKER_SETS, MODEL_DEPLOYMENTS, SECRETS, Resource
from support.cluster.cluster import Cluster
from support.cluster.fault_proxy import FaultProxy
from support.cluster.faults import Fault, Rule
from support.cluster.objects import Objects

MANAGER = "test"


def settings(objects: Objects, name: str = "settings", **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": objects.namespace, "labels": {"test": "yes"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def deployment(objects: Objects) -> dict[str, Any]:
    spec = {"model": {"uri": "https://models.example/m"}, "engine": {"type": "Simulated"}}
    metadata = {"name": "model", "namespace": objects.namespace}
    return {"apiVersion": "mizzen.dev/v1alpha1", "kind": "ModelDeployment", "metadata": metadata, "spec": spec}


def same(manifest: dict[str, Any], **data: str) -> dict[str, Any]:
    """The identity of what was read, with other data."""
    kept = {name: manifest["metadata"][name] for name in ("name", "namespace", "uid", "resourceVersion")}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": kept, "data": data}


async def test_what_is_created_is_read_back_and_cannot_be_created_again(api: Api, objects: Objects) -> None:
    made = await api.create(settings(objects, a="1"), field_manager=MANAGER)
    read = await api.get(CONFIG_MAPS, "settings", objects.namespace)
    assert read["metadata"]["uid"] == made["metadata"]["uid"]
    with pytest.raises(AlreadyExistsError, match='configmaps "settings" already exists'):
        await api.create(settings(objects), field_manager=MANAGER)


async def test_apply_with_a_stale_version_and_uid_is_a_conflict(api: Api, objects: Objects) -> None:
    made = await api.create(settings(objects, a="1"), field_manager=MANAGER)
    newer = await api.apply(same(made, a="2"), field_manager=MANAGER)
    assert newer["data"] == {"a": "2"}
    with pytest.raises(ConflictError):
        await api.apply(same(made, a="3"), field_manager=MANAGER)
    assert objects.get("ConfigMap", "settings")["data"] == {"a": "2"}


async def test_apply_never_brings_back_what_was_deleted(api: Api, objects: Objects) -> None:
    made = await api.create(settings(objects, a="1"), field_manager=MANAGER)
    await api.delete(CONFIG_MAPS, "settings", objects.namespace, uid=made["metadata"]["uid"])
    with pytest.raises(ConflictError):
        await api.apply(same(made, a="2"), field_manager=MANAGER)
    assert objects.get("ConfigMap", "settings") is None


async def test_apply_never_touches_another_object_of_that_name(api: Api, objects: Objects) -> None:
    made = await api.create(settings(objects, a="1"), field_manager=MANAGER)
    await api.delete(CONFIG_MAPS, "settings", objects.namespace, uid=made["metadata"]["uid"])
    second = await api.create(settings(objects, a="other"), field_manager=MANAGER)
    with pytest.raises(ConflictError):
        await api.apply(same(made, a="2"), field_manager=MANAGER)
    newest = same(made, a="2")
    newest["metadata"]["resourceVersion"] = second["metadata"]["resourceVersion"]
    with pytest.raises(ConflictError):
        await api.apply(newest, field_manager=MANAGER)
    with pytest.raises(ConflictError):
        await api.delete(CONFIG_MAPS, "settings", objects.namespace, uid=made["metadata"]["uid"])
    assert objects.get("ConfigMap", "settings")["data"] == {"a": "other"}


async def test_apply_without_an_identity_is_not_even_sent(api: Api, objects: Objects) -> None:
    with pytest.raises(ValueError, match="could bring back what was deleted"):
        await api.apply(settings(objects, a="1"), field_manager=MANAGER)
    assert objects.get("ConfigMap", "settings") is None


@pytest.mark.parametrize("verb", ["patch_status", "put_status"])
async def test_a_status_is_written_for_the_object_that_was_read_alone(api: Api, objects: Objects, verb: str) -> None:
    made = await api.create(deployment(objects), field_manager=MANAGER)
    write = getattr(api, verb)
    told = await write({**made, "status": {"observedGeneration": 1}}, field_manager=MANAGER)
    assert told["status"]["observedGeneration"] == 1
    assert told["spec"] == made["spec"]
    with pytest.raises(ConflictError):
        await write({**made, "status": {"observedGeneration": 7}}, field_manager=MANAGER)
    await api.delete(MODEL_DEPLOYMENTS, "model", objects.namespace, uid=made["metadata"]["uid"])
    await api.create(deployment(objects), field_manager=MANAGER)
    with pytest.raises(ConflictError):
        await write({**told, "status": {"observedGeneration": 9}}, field_manager=MANAGER)
    assert objects.get("ModelDeployment", "model")["status"]["observedGeneration"] == -1


async def test_put_status_leaves_nothing_of_the_old_status(api: Api, objects: Objects) -> None:
    made = await api.create(deployment(objects), field_manager=MANAGER)
    first = {"observedGeneration": 1, "url": "http://model"}
    told = await api.put_status({**made, "status": first}, field_manager=MANAGER)
    told = await api.put_status({**told, "status": {"observedGeneration": 1}}, field_manager=MANAGER)
    assert "url" not in told["status"]


async def test_a_list_comes_in_pages_and_whole(api: Api, objects: Objects) -> None:
    for number in range(7):
        objects.create(settings(objects, f"settings-{number}"))
    selection = Selection(objects.namespace, label_selector="test=yes")
    pages = [page async for page in api.pages(CONFIG_MAPS, selection, limit=3)]
    assert [len(page.items) for page in pages] == [3, 3, 1]
    assert [page.first for page in pages] == [True, False, False]
    items, version = await api.list(CONFIG_MAPS, selection)
    assert len(items) == 7
    assert version
    assert {item["kind"] for item in items} == {"ConfigMap"}


async def test_a_list_whose_continuation_expired_begins_again(
    through: Api, proxy: FaultProxy, objects: Objects
) -> None:
    for number in range(7):
        objects.create(settings(objects, f"settings-{number}"))
    selection = Selection(objects.namespace, label_selector="test=yes")
    proxy.add(Rule(Fault.ANSWER, lambda each: "continue=" in each.path, status=410, times=1))
    pages = [page async for page in through.pages(CONFIG_MAPS, selection, limit=3)]
    assert [(len(page.items), page.first) for page in pages] == [(3, True), (7, True)]


async def test_a_continuation_that_etcd_no_longer_has_is_gone_and_the_list_is_whole(
    through: Api, proxy: FaultProxy, server: Cluster, objects: Objects
) -> None:
    for number in range(7):
        objects.create(settings(objects, f"settings-{number}"))
    seen = []
    async for page in through.pages(CONFIG_MAPS, Selection(objects.namespace, label_selector="test=yes"), limit=3):
        seen = [*([] if page.first else seen), *(item["metadata"]["name"] for item in page.items)]
        if len(seen) == 3:
            await asyncio.to_thread(objects.create, settings(objects, "late"))
            await asyncio.to_thread(server.compact)
    assert set(seen) >= {f"settings-{number}" for number in range(7)}


async def test_metadata_alone_has_no_data(api: Api, objects: Objects) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"key": "hidden"}}
    objects.create(secret)
    items, _ = await api.list(SECRETS, Selection(objects.namespace, metadata_only=True))
    one = await api.get(SECRETS, "s", objects.namespace, metadata_only=True)
    assert "hidden" not in str(items)
    assert set(one) == {"apiVersion", "kind", "metadata"}
    assert one["kind"] == items[0]["kind"] == "Secret"


async def test_a_version_that_was_compacted_away_is_gone(api: Api, server: Cluster, objects: Objects) -> None:
    await asyncio.to_thread(objects.create, settings(objects))
    await asyncio.to_thread(server.compact)
    await asyncio.to_thread(server.api_server.restart)  # its own cache still had it
    await asyncio.to_thread(server.wait_ready)
    events = api.watch(CONFIG_MAPS, Selection(objects.namespace), resource_version="1", silence=10)
    with pytest.raises(GoneError):
        await anext(events)


async def test_refusals_have_errors_of_their_own(api: Api, objects: Objects) -> None:
    with pytest.raises(NotFoundError):
        await api.get(CONFIG_MAPS, "nobody", objects.namespace)
    with pytest.raises(NotFoundError):
        await api.list(LEADER_WORKER_SETS)
    wrong = deployment(objects)
    del wrong["spec"]["engine"]
    with pytest.raises(InvalidError, match="engine"):
        await api.create(wrong, field_manager=MANAGER)


async def test_behind_a_closed_fence_nothing_is_written_and_each_try_is_counted(api: Api, objects: Objects) -> None:
    written: list[tuple[str, Resource, str]] = []
    made = await api.create(settings(objects, a="1"), field_manager=MANAGER)

    def closed() -> None:
        raise FencedError("not now")

    fenced = api.fenced(closed, lambda *told: written.append(told))
    uid = made["metadata"]["uid"]
    for write in (
        fenced.create(settings(objects, "other"), field_manager=MANAGER),
        fenced.apply(same(made, a="2"), field_manager=MANAGER),
        fenced.replace(same(made, a="2"), field_manager=MANAGER),
        fenced.json_patch(CONFIG_MAPS, "settings", objects.namespace, [], field_manager=MANAGER),
        fenced.delete(CONFIG_MAPS, "settings", objects.namespace, uid=uid),
    ):
        with pytest.raises(FencedError):
            await write
    assert [(verb, outcome) for verb, _, outcome in written] == [
        (verb, "fenced") for verb in ("create", "apply", "replace", "json_patch", "delete")
    ]
    (left,) = objects.list("ConfigMap", labels="test=yes")
    assert left["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_a_fence_that_closes_while_the_request_is_on_its_way_keeps_the_body_back(
    api: Api, objects: Objects
) -> None:
    asked = []

    def closes_after_the_first_look() -> None:
        asked.append(1)
        if len(asked) > 1:
            raise FencedError("closed in between")

    with pytest.raises(FencedError, match="in between"):
        await api.fenced(closes_after_the_first_look).create(settings(objects), field_manager=MANAGER)
    assert objects.get("ConfigMap", "settings") is None
