"""A person with `mizzen`, a control plane, an operator: a rollout goes on, stands still and back by commands alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.cluster.cluster import Cluster
from support.cluster.objects import Object, Objects
from support.command_line import CommandLine, command_line
from support.controlplane import ControlPlane
from support.model_objects import model
from support.pushing import onnx_model
from support.rollouts import NAME, hash_of, rolled_out, wait, waits_at
from support.running_operator import RunningOperator

WAIT = ("--timeout", "60")
BY_HAND = {"strategy": "Canary", "canary": {"steps": [{"trafficPercent": 50, "pause": "Manual"}]}}


@pytest.fixture
def objects(cluster: Cluster, controlplane: ControlPlane, running: RunningOperator) -> Iterator[Objects]:
    """What the administrator sees in the namespace of a fresh project."""
    assert running.process.runs
    found = cluster.objects.within(controlplane.new_project())
    found.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": found.namespace}}, force=True)
    yield found
    found.delete("Namespace", found.namespace)


@pytest.fixture
def mizzen(controlplane: ControlPlane, objects: Objects, tmp_path: Path) -> CommandLine:
    """A shell whose commands act on that project, in which versions 1 and 2 of a model have been pushed."""
    shell = command_line(tmp_path, controlplane.url, "http://127.0.0.1:9", controlplane.tokens["admin"])
    mizzen = CommandLine({**shell.variables, "MIZZEN_PROJECT": objects.namespace})
    for width in (4, 8):
        (tmp_path / "model.onnx").write_bytes(onnx_model(width))
        mizzen("models", "push", NAME, tmp_path / "model.onnx")
    return mizzen


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Where a person keeps the manifest."""
    return tmp_path / "chat.yaml"


def asks_for(manifest: Path, version: int, **spec: Any) -> Path:
    """The manifest, for that version."""
    document = model(NAME, replicas=2, **spec)
    document["spec"]["model"] = {"versionRef": {"model": NAME, "version": version}}
    manifest.write_text(yaml.safe_dump(document))
    return manifest


def serves(objects: Objects, version: int) -> Object:
    """The deployment, which has settled with this version alone."""
    deployment = wait(objects, rolled_out)
    (one,) = (each for each in deployment["status"]["revisions"] if each["state"] == "Serving")
    assert (one["modelVersion"], one["trafficPercent"]) == (version, 100)
    return deployment


def frozen(objects: Objects, deployment: Object) -> Object:
    """The ControllerRevision of the revision that serves."""
    found = objects.get("ControllerRevision", f"{NAME}-{hash_of(deployment, 'Serving')}")
    assert found is not None
    return found


def test_a_rollback_by_command_serves_the_template_of_before(
    mizzen: CommandLine, objects: Objects, manifest: Path
) -> None:
    mizzen("apply", "-f", asks_for(manifest, 1), "--wait", *WAIT)
    before = frozen(objects, serves(objects, 1))
    mizzen("apply", "-f", asks_for(manifest, 2), "--wait", *WAIT)
    after = frozen(objects, serves(objects, 2))
    assert after["metadata"]["name"] != before["metadata"]["name"]
    assert f"{NAME}: back at version 1." in mizzen("rollout", "rollback", NAME, *WAIT).out
    again = frozen(objects, serves(objects, 1))
    assert again["metadata"]["uid"] == before["metadata"]["uid"]
    assert again["data"] == before["data"]
    listed = mizzen("rollout", "status", NAME, *WAIT, "-o", "json").json["revisions"]
    assert [one["modelVersion"] for one in listed if one["state"] == "Serving"] == [1]


def test_a_canary_is_held_let_go_and_promoted_by_command(mizzen: CommandLine, objects: Objects, manifest: Path) -> None:
    mizzen("apply", "-f", asks_for(manifest, 1, rollout=BY_HAND), "--wait", *WAIT)
    mizzen("apply", "-f", asks_for(manifest, 2, rollout=BY_HAND))
    wait(objects, waits_at("AwaitingPromotion"))
    mizzen("rollout", "pause", NAME)
    wait(objects, waits_at("Paused"))
    told = mizzen("rollout", "status", NAME, "--no-wait").out
    assert "Waits at Paused: spec.rollout.mode is Paused. Set it to Active to go on." in told
    mizzen("rollout", "resume", NAME)
    wait(objects, waits_at("AwaitingPromotion"))
    mizzen("rollout", "promote", NAME)
    mizzen("rollout", "status", NAME, *WAIT)
    assert serves(objects, 2)["spec"]["rollout"]["mode"] == "Active"
