"""A bug in a pass is told by the status: nobody can say how things are, and the figures of before stay."""

import asyncio
from typing import Any, cast

import pytest
from mizzen_crds.v1alpha1 import API_VERSION
from mizzen_kube.api import Api
from mizzen_kube.errors import UnavailableError
from mizzen_operator.reconcile.apply import Applier
from mizzen_operator.reconcile.caches import Caches
from mizzen_operator.reconcile.controlplane import ControlPlane
from mizzen_operator.reconcile.kinds import project_pass, route_pass, run
from mizzen_operator.reconcile.kinds.limits_answer import LimitsAnswer
from mizzen_operator.reconcile.kinds.pictures import Pictures
from mizzen_operator.reconcile.kinds.project_pass import ProjectHands
from mizzen_operator.reconcile.kinds.run import KindPasses
from mizzen_operator.reconcile.kinds.statuses import KindStatuses
from support.deployments import NOON
from support.pass_in_memory import ObjectsInMemory

Object = dict[str, Any]
TRUE = {"status": "True", "reason": "Before", "message": "", "lastTransitionTime": "2025-01-01T00:00:00Z"}
KINDS: list[tuple[str, Any, str, Object, Object]] = [
    (
        "ModelRoute",
        route_pass,
        "route_status",
        {"rules": [{"name": "all", "backends": [{"deployment": "a"}]}]},
        {"url": "http://gateway"},
    ),
    (
        "AcceleratorClass",
        run,
        "class_status",
        {"resourceName": "nvidia.com/gpu", "memory": "80Gi"},
        {"nodes": 7},
    ),
    ("Project", project_pass, "project_status", {"namespaces": ["default"]}, {"acceleratorsUsed": 3}),
]


def passes(objects: ObjectsInMemory, kind: str, manifest: Object) -> KindPasses:
    """One object, known to the operator's parts."""
    api = cast(Api, objects)
    caches = Caches(api, lambda _: None, lambda _: None)
    pictures = Pictures(api, caches, lambda _: None)
    pictures.learn(objects.put(manifest))
    hands = ProjectHands(
        api=api,
        caches=caches,
        pictures=pictures,
        applier=Applier(api, caches),
        statuses=KindStatuses(api, pictures, "operator-0"),
        limits=LimitsAnswer(ControlPlane("", None)),
        reserved=frozenset(),
    )
    return KindPasses(hands, "http://gateway", lambda: NOON)


def failing(error: Exception) -> Any:
    """What raises instead of telling a status."""

    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.fixture(params=KINDS, ids=lambda row: row[0])
def case(request: pytest.FixtureRequest) -> tuple[str, Any, str, Object]:
    """A kind, the module and function to break, and an object that was well."""
    kind, module, function, spec, figures = request.param
    namespace = {"namespace": "default"} if kind == "ModelRoute" else {}
    status = {"observedGeneration": 1, "conditions": [{"type": "Ready", "observedGeneration": 1, **TRUE}], **figures}
    metadata = {"name": "one", "generation": 2, **namespace}
    whole = {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec, "status": status}
    return kind, module, function, whole


def test_a_bug_leaves_every_condition_unknown_and_the_figures_as_they_were(
    monkeypatch: pytest.MonkeyPatch, case: tuple[str, Any, str, Object]
) -> None:
    kind, module, function, manifest = case
    objects = ObjectsInMemory()
    monkeypatch.setattr(module, function, failing(ValueError("seven is not a colour")))
    one = passes(objects, kind, manifest)
    with pytest.raises(ValueError, match="seven"):
        asyncio.run(one.run_pass((manifest["metadata"].get("namespace", ""), "one", kind)))
    told = objects.kept[kind, "one"]["status"]
    assert {one["status"] for one in told["conditions"]} == {"Unknown"}
    assert {one["type"] for one in told["conditions"]} > {"Ready"}
    assert "ValueError: seven is not a colour" in told["conditions"][0]["message"]
    assert told["observedGeneration"] == 2
    (figure,) = set(manifest["status"]) - {"observedGeneration", "conditions"}
    assert told[figure] == manifest["status"][figure]


def test_a_server_that_is_away_changes_no_status(
    monkeypatch: pytest.MonkeyPatch, case: tuple[str, Any, str, Object]
) -> None:
    kind, module, function, manifest = case
    objects = ObjectsInMemory()
    monkeypatch.setattr(module, function, failing(UnavailableError("away")))
    one = passes(objects, kind, manifest)
    with pytest.raises(UnavailableError):
        asyncio.run(one.run_pass((manifest["metadata"].get("namespace", ""), "one", kind)))
    assert objects.kept[kind, "one"]["status"] == manifest["status"]
