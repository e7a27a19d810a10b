"""While a rollout goes on, its old pods fetch too: where may they go, and until when?"""

from dataclasses import replace
from typing import Any, cast

import pytest
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_operator.kinds.model_deployment.artifact import Artifact
from mizzen_operator.reconcile.registry import Registry
from support.model_objects import model
from support.pass_in_memory import NamedByUri, OneDeployment

VERSION = "mizzen://mv_1"
REGISTRY = "mizzen-controlplane"
OUTSIDE = "0.0.0.0/0"
POLICY = ("NetworkPolicy", "chat-fetch")
OLD_AND_NEW = [
    ("s3://bucket/model", "pvc://claim/path", OUTSIDE),
    (VERSION, "hf://org/repo@main", REGISTRY),
    ("hf://org/repo@main", VERSION, OUTSIDE),
]


class OneVersion(NamedByUri):
    """A registry that has one version."""

    async def resolve(self, deployment: ModelDeployment, _: str) -> Artifact:
        """The version, or what the URI says."""
        if deployment.spec.model.version_ref is None:
            return await super().resolve(deployment, _)
        return Artifact(VERSION, digest=f"sha256:{'1' * 64}", format="ONNX", version=1, source="sentiment@1")


def spec(uri: str, engine: str = "Triton") -> dict[str, Any]:
    whole: dict[str, Any] = model("chat", engine, uri, replicas=2)["spec"]
    if uri == VERSION:
        return whole | {"model": {"versionRef": {"model": "sentiment", "version": 1}}}
    if engine == "Triton":
        whole["model"]["format"] = "ONNX"
    return whole


def rolled_out(status: dict[str, Any]) -> bool:
    return any(one["type"] == "UpToDate" and one["status"] == "True" for one in status["conditions"])


def serving(uri: str) -> OneDeployment:
    """A deployment whose every pod fetched that."""
    one = OneDeployment({**model("chat"), "spec": spec(uri)})
    one.hands = replace(one.hands, registry=cast(Registry, OneVersion()))
    one.look_until(rolled_out)
    return one


def way_out(one: OneDeployment) -> str:
    """The rules that pods fetch by; empty while there are none."""
    policy = one.objects.kept.get(POLICY)
    return str(policy["spec"]["egress"]) if policy else ""


def running(one: OneDeployment) -> int:
    """Revisions that have replicas."""
    return sum(kind == "Deployment" and kept["spec"]["replicas"] > 0 for (kind, _), kept in one.objects.kept.items())


@pytest.mark.parametrize(("old", "new", "needed"), OLD_AND_NEW)
def test_pods_of_the_old_revision_reach_their_source_until_the_last_of_them_has_gone(
    old: str, new: str, needed: str
) -> None:
    one = serving(old)
    alone = way_out(one)
    assert needed in alone
    one.change(spec(new))
    one.look()
    during = way_out(one)
    assert running(one) == 2
    assert needed in during
    one.look_until(lambda status: rolled_out(status) and running(one) == 1)
    one.look()
    assert needed not in way_out(one)
    assert way_out(one) == way_out(serving(new))


def test_a_rollout_that_stands_writes_the_policy_once() -> None:
    one = serving("s3://bucket/model")
    one.change(spec("pvc://claim/path"))
    one.look()
    version = one.objects.kept[POLICY]["metadata"]["resourceVersion"]
    for _ in range(3):
        one.look()
    assert running(one) == 2
    assert one.objects.kept[POLICY]["metadata"]["resourceVersion"] == version


def test_old_pods_fetch_although_the_new_engine_needs_no_weights() -> None:
    one = serving("s3://bucket/model")
    one.change(spec("hf://org/repo@main", "Simulated"))
    one.look()
    assert running(one) == 2
    assert OUTSIDE in way_out(one)


def test_a_policy_that_is_deleted_in_mid_rollout_comes_back_for_all_while_the_spec_is_refused() -> None:
    one = serving("s3://bucket/model")
    one.change(spec("pvc://claim/path"))
    one.look()
    during = way_out(one)
    wrong = spec("pvc://claim/path")
    one.change({**wrong, "engine": {**wrong["engine"], "args": ["--forbidden=1"]}})
    one.remove(*POLICY)
    one.look()
    assert way_out(one) == during
