"""The runner's pure parts: which pods go, what gateways are told, what counts as a failure, what was seen since."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mizzen_cli.local.pod.manifest import parse_pod
from mizzen_cli.local.pod.sandbox import Sandbox
from mizzen_cli.local.pod.sandboxes import SeenPod
from mizzen_cli.local.pod.state import ContainerState, PodState
from mizzen_cli.local.runner.endpoint_set import endpoint
from mizzen_cli.local.runner.pod_view import failure
from mizzen_cli.local.runner.revisions import KeptRevision, RevisionFolder
from mizzen_cli.local.runner.scale import scale_step
from mizzen_crds.serving import GatewayLoad, RevisionLoad
from mizzen_crds.v1alpha1.serving_runtime import LocalEnvironment
from mizzen_operator.ledgers.load_ledger import LoadLedger
from mizzen_operator.revision import Revision
from mizzen_operator.rollout.fleet import ObservedPod

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def pod(name: str, age: int, *, ready: bool = True, terminating: bool = False) -> ObservedPod:
    return ObservedPod(name, NOW - timedelta(seconds=age), ready=ready, terminating=terminating)


def test_missing_pods_are_made_and_terminating_ones_do_not_count() -> None:
    step = scale_step([pod("a", 5), pod("b", 5, terminating=True)], 3, "why")
    assert (step.make, step.remove) == (2, ())


def test_pods_that_are_not_ready_go_first_then_the_youngest() -> None:
    pods = [pod("old", 90), pod("young", 10), pod("starting", 50, ready=False)]
    assert scale_step(pods, 2, "").remove == ("starting",)
    assert scale_step(pods, 1, "").remove == ("starting", "young")
    assert set(scale_step(pods, 0, "").remove) == {"starting", "young", "old"}


def load(boot: str, requests: int, errors: int = 0, parked: int = 0) -> GatewayLoad:
    seen = RevisionLoad(
        namespace="n", deployment="d", revision="r", requests=requests, errors=errors, ttft_ms_sum=0.0,
        in_flight=0, parked=parked,
    )  # fmt: skip
    return GatewayLoad(gateway="g", boot_id=boot, sent_at=NOW, revisions=[seen])


def test_a_window_counts_from_the_steps_begin_and_over_a_gateways_restart() -> None:
    ledger = LoadLedger()
    ledger.record(load("one", 10, 1))
    assert ledger.window(("n", "d", "r"), NOW).requests == 0
    ledger.record(load("one", 15, 2))
    ledger.record(load("two", 4, 1))
    window = ledger.window(("n", "d", "r"), NOW)
    assert (window.requests, window.errors) == (9, 2)
    assert ledger.window(("n", "d", "r"), NOW + timedelta(1)).requests == 0


def test_a_newly_parked_request_wakes_its_deployment_once() -> None:
    ledger = LoadLedger()
    assert ledger.record(load("one", 0, parked=1)) == {("n", "d")}
    assert ledger.record(load("one", 0, parked=2)) == set()


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        (ContainerState("fetch", init=True, exit_code=12, last_message="DigestMismatch: other"), "DigestMismatch"),
        (ContainerState("fetch", init=True, exit_code=21, last_message="no route"), "FetchFailed"),
        (ContainerState("layout", init=True, exit_code=10, last_message="broken"), "LayoutRefused"),
        (ContainerState("engine", exit_code=137, restarts=1), "ReplicaUnready"),
        (ContainerState("engine", exit_code=1, restarts=3), "CrashLooping"),
        (ContainerState("engine", exit_code=143, last_reason="StartupFailed"), "StartupTimedOut"),
    ],
)
def test_a_failed_container_has_its_reason(container: ContainerState, reason: str) -> None:
    found = failure(PodState(uid="u", created_at="", containers=[container]))
    assert found
    assert found.reason == reason
    assert found.message


def test_a_pod_in_which_nothing_went_wrong_has_no_failure() -> None:
    assert failure(PodState(uid="u", created_at="", containers=[ContainerState("engine")])) is None


def test_revisions_stay_as_first_rendered_and_go_with_their_object(tmp_path: Path) -> None:
    folder = RevisionFolder(tmp_path)
    kept = KeptRevision(Revision("d-a", "a", {"x": 1}, {"spec": {}}), NOW, 2, "triton", LocalEnvironment(), 3)
    folder.keep("n", "d", "uid-1", kept)
    assert folder.of("n", "d", "uid-1") == {"a": kept}
    assert list(folder.deployments()) == [("n", "d")]
    assert folder.of("n", "d", "uid-2") == {}
    assert folder.of("n", "d", "uid-1") == {}


def test_gateways_are_told_every_port_that_they_may_need(tmp_path: Path) -> None:
    named = {"http": 8000, "grpc": 8001, "metrics": 8002}
    ports = [{"name": name, "containerPort": number} for name, number in named.items()]
    container = {"name": "engine", "image": "x", "command": ["x"], "ports": ports}
    manifest = parse_pod({"metadata": {"name": "p", "uid": "u"}, "spec": {"containers": [container]}})
    state = PodState("u", "2026-01-01", address="127.0.0.2", ready=True)
    told = endpoint(SeenPod(Sandbox(tmp_path), manifest, state, False, False, NOW), removing=False)
    assert (told.address, told.port, told.grpc_port, told.metrics_port) == ("127.0.0.2", 8000, 8001, 8002)
