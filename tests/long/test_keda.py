"""A real KEDA scales a deployment through its scale subresource, and nobody fights over the number."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.cluster.changes import recorded
from support.cluster.cluster import Cluster, condition, start
from support.cluster.credentials import User
from support.cluster.nodes import Behaviour, Nodes
from support.cluster.objects import Object, Objects, RefusedError, wait_until
from support.keda import RunningKeda, keda, make_certificates, prepare
from support.model_objects import is_settled, model
from support.own_network import in_own_network
from support.prometheus_double import Load, prometheus_of
from support.running_operator import RunningOperator, ensure_namespace, operator

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "scaling" / "keda.yaml"
KIND, NAME = "ModelDeployment", "sentiment"
MIZZEN = User("mizzen-operator", ("system:masters",))
AUTOSCALER = frozenset({"kube-controller-manager"})
NOBODY: frozenset[str] = frozenset()
"""The API server forgets the owner of a number that `/scale` sets to 0, and notes none from then on."""
SECONDS = 120.0


@dataclass(frozen=True)
class Scaled:
    """A model whose replicas KEDA sets."""

    cluster: Cluster
    objects: Objects
    running: RunningOperator
    keda: RunningKeda
    load: Load

    def model(self) -> Object:
        """The model."""
        found = self.objects.get(KIND, NAME)
        assert found
        return found

    def told(self) -> str:
        """What the model and its autoscaler are like, and what all programs said last."""
        autoscaler = self.objects.get("HorizontalPodAutoscaler", f"keda-hpa-{NAME}") or {}
        states = [self.model()["status"], autoscaler.get("status")]
        return f"{states}\n{self.keda.tell()}\n{self.running.tell()}"


@in_own_network(prepare)
def test_load_goes_up_and_down_and_the_model_follows(tmp_path: Path) -> None:
    with _scaled(tmp_path) as scaled:
        with _asked_for(scaled, 1, 4):
            _goes_to(scaled, load=30, replicas=4, owners=AUTOSCALER)
        with _asked_for(scaled, 4):
            _users_apply_without_replicas(scaled)
            _a_user_who_names_replicas_is_told_whose_they_are(scaled)
        with _asked_for(scaled, 4, 2, 1):
            _goes_to(scaled, load=9, replicas=2, owners=AUTOSCALER)
            _goes_to(scaled, load=1, replicas=1, owners=AUTOSCALER)
        with _asked_for(scaled, 1, 0):
            _goes_to(scaled, load=0, replicas=0, owners=NOBODY)
        with _asked_for(scaled, 0, 1, 3):
            _goes_to(scaled, load=17, replicas=3, owners=NOBODY)
        _mizzen_wrote_status_alone(scaled)
        asked = yaml.safe_load(EXAMPLE.read_text())["spec"]["triggers"][0]["metadata"]["query"]
        assert scaled.load.queries == {asked}


@contextmanager
def _scaled(folder: Path) -> Iterator[Scaled]:
    """Everything, once KEDA knows the model."""
    certificates = make_certificates(folder)
    cluster_of = start(
        nodes=[Nodes(1, accelerators=0)],
        behaviours=[Behaviour(ready_after=0.2)],
        users=[MIZZEN],
        audit=True,
        api_server_flags=certificates.api_server_flags(),
        controller_flags=["--use-service-account-credentials=true"],
    )
    with (
        cluster_of as cluster,
        operator(cluster, cluster.kubeconfig_of(MIZZEN.name)) as running,
        keda(cluster, certificates) as autoscaler,
        prometheus_of(Load(1)) as load,
    ):
        print(f"KEDA {autoscaler.version}, Kubernetes {cluster.objects.call('GET', '/version')['gitVersion']}")
        scaled_object = _scaled_object(load)
        ensure_namespace(cluster, scaled_object["metadata"]["namespace"])
        objects = cluster.objects.within(scaled_object["metadata"]["namespace"])
        scaled = Scaled(cluster, objects, running, autoscaler, load)
        _apply(scaled, replicas=1)
        objects.wait(KIND, NAME, is_settled, SECONDS)
        objects.create(scaled_object)
        objects.wait("ScaledObject", NAME, lambda one: condition(one, "Ready").get("status") == "True", SECONDS)
        yield scaled


def _scaled_object(load: Load) -> Object:
    """The example, in a hurry, down to zero, and with this test's Prometheus."""
    wanted: Object = yaml.safe_load(EXAMPLE.read_text())
    at_once = {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}}}
    wanted["spec"] |= {
        "pollingInterval": 1,
        "cooldownPeriod": 1,
        "minReplicaCount": 0,
        "advanced": {"horizontalPodAutoscalerConfig": at_once},
    }
    wanted["spec"]["triggers"][0]["metadata"]["serverAddress"] = load.url
    return wanted


def _apply(scaled: Scaled, manager: str = "git", **spec: Any) -> Object:
    """Server-side apply of a model, as a GitOps tool does it."""
    body = model(NAME, **spec)
    body["metadata"]["namespace"] = scaled.objects.namespace
    return scaled.objects.apply(body, manager=manager)


def _goes_to(scaled: Scaled, load: int, replicas: int, owners: frozenset[str]) -> None:
    """With so many requests there come to be so many replicas: wanted, ready, and counted by `/scale`."""
    scaled.load.requests = load
    wait_until(lambda: _runs(scaled.model(), replicas), SECONDS, scaled.told)
    found = scaled.model()
    assert _owners(found) == owners, found["metadata"]["managedFields"]
    path = scaled.objects.resource(KIND).path(scaled.objects.namespace, NAME, "scale")
    scale = scaled.objects.call("GET", path)
    assert {scale[part].get("replicas", 0) for part in ("spec", "status")} == {replicas}
    chosen = scaled.objects.list("Pod", labels=scale["status"]["selector"])
    stay = [pod for pod in chosen if "deletionTimestamp" not in pod["metadata"]]
    assert [condition(pod, "Ready")["status"] for pod in stay] == ["True"] * replicas
    print(f"load {load}: {replicas} replicas, owned by {sorted(owners)}")


def _runs(one: Object, replicas: int) -> bool:
    status = one["status"]
    counts = {one["spec"].get("replicas"), status.get("replicas", 0), status.get("readyReplicas", 0)}
    return is_settled(one) and counts == {replicas}


def _owners(one: Object) -> set[str]:
    """Who set `spec.replicas`, as the API server has it."""
    managed = one["metadata"]["managedFields"]
    return {each["manager"] for each in managed if "f:replicas" in each["fieldsV1"].get("f:spec", {})}


@contextmanager
def _asked_for(scaled: Scaled, *numbers: int) -> Iterator[None]:
    """Meanwhile these numbers of replicas were asked for, in this order, and no other at any moment."""
    with recorded(scaled.objects, KIND) as changes:
        yield
    every = (state[NAME]["spec"]["replicas"] for state in changes.states())
    assert [number for number, _ in groupby(every)] == list(numbers)


def _users_apply_without_replicas(scaled: Scaled) -> None:
    """By a GitOps tool and by kubectl, with a change that makes new pods: the number stays."""
    _apply(scaled, podOverrides={"labels": {"test.mizzen.dev/version": "2"}})
    scaled.objects.wait(KIND, NAME, lambda one: _runs(one, 4), SECONDS)
    manifest = yaml.safe_dump(model(NAME, podOverrides={"labels": {"test.mizzen.dev/version": "3"}}))
    scaled.cluster.kubectl("apply", "--namespace", scaled.objects.namespace, "-f", "-", stdin=manifest)
    found = scaled.objects.wait(KIND, NAME, lambda one: _runs(one, 4), SECONDS)
    assert _owners(found) == AUTOSCALER
    wait_until(lambda: _versions(scaled) == {"3"}, SECONDS, lambda: f"pods of versions {_versions(scaled)}")


def _versions(scaled: Scaled) -> set[str]:
    return {pod["metadata"]["labels"]["test.mizzen.dev/version"] for pod in scaled.objects.list("Pod")}


def _a_user_who_names_replicas_is_told_whose_they_are(scaled: Scaled) -> None:
    with pytest.raises(RefusedError) as refused:
        _apply(scaled, replicas=1)
    assert refused.value.status == 409
    (cause,) = refused.value.causes
    assert cause["field"] == ".spec.replicas"
    assert f'conflict with "{min(AUTOSCALER)}"' in cause["message"]


def _mizzen_wrote_status_alone(scaled: Scaled) -> None:
    """Mizzen's operator wrote no spec of a deployment: the API server's own log says so."""
    every = [each for each in scaled.cluster.audit_events() if each["user"]["username"] == MIZZEN.name]
    written = [
        each["objectRef"].get("subresource", "")
        for each in every
        if each["verb"] in ("create", "update", "patch", "delete")
        and each["objectRef"]["resource"] == "modeldeployments"
    ]
    assert written
    assert set(written) == {"status"}
