"""Is a write held to what its writer read, when somebody else writes in between?"""

from collections.abc import AsyncIterator

import pytest
from mizzen_controlplane.cluster.kubernetes_store import KubernetesDeploymentStore
from mizzen_controlplane.cluster.objects import ObjectKey, Wanted
from mizzen_controlplane.kit.problem import Conflict
from mizzen_kube.api import Api, open_api
from mizzen_kube.kubeconfig import from_kubeconfig
from support.cluster.cluster import Cluster
from support.cluster.objects import Objects
from support.model_objects import model


@pytest.fixture
async def api(bare_cluster: Cluster) -> AsyncIterator[Api]:
    """The API server, as its administrator sees it."""
    async with open_api(await from_kubeconfig(str(bare_cluster.kubeconfig))) as api:
        yield api


def scaled(found: dict[str, object], replicas: int) -> Wanted:
    spec = found["spec"]
    assert isinstance(spec, dict)
    return Wanted({}, {}, {**spec, "replicas": replicas}, "mizzen-api")


async def test_a_change_that_somebody_else_made_after_the_reading_is_not_undone(api: Api, objects: Objects) -> None:
    objects.create(model("m", replicas=1))
    store, key = KubernetesDeploymentStore(api), ObjectKey("ModelDeployment", objects.namespace, "m")
    found = await store.get(key)
    assert found is not None
    objects.merge("ModelDeployment", "m", {"spec": {"aliases": ["theirs"]}})
    with pytest.raises(Conflict) as refused:
        await store.apply(key, scaled(found, 3))
    assert refused.value.problem_code == "changed_meanwhile"
    kept = objects.get("ModelDeployment", "m")
    assert kept is not None
    assert (kept["spec"]["replicas"], kept["spec"]["aliases"]) == (1, ["theirs"])


async def test_a_status_that_was_written_after_the_reading_is_no_reason_to_refuse(api: Api, objects: Objects) -> None:
    objects.create(model("m", replicas=1))
    store, key = KubernetesDeploymentStore(api), ObjectKey("ModelDeployment", objects.namespace, "m")
    found = await store.get(key)
    assert found is not None
    objects.merge("ModelDeployment", "m", {"status": {"observedGeneration": 1}}, subresource="status")
    written = await store.apply(key, scaled(found, 3))
    assert (written["spec"]["replicas"], written["status"]["observedGeneration"]) == (3, 1)


async def test_an_object_that_was_deleted_after_the_reading_does_not_come_back(api: Api, objects: Objects) -> None:
    objects.create(model("m", replicas=1))
    store, key = KubernetesDeploymentStore(api), ObjectKey("ModelDeployment", objects.namespace, "m")
    found = await store.get(key)
    assert found is not None
    objects.delete("ModelDeployment", "m")
    with pytest.raises(Conflict):
        await store.apply(key, scaled(found, 3))
    assert objects.get("ModelDeployment", "m") is None
