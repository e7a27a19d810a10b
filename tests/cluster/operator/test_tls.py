"""The operator speaks TLS itself: pods and gateways report to whom they were told to trust, and to nobody else."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import trustme
from mizzen_engines.startup_progress import ProgressReport
from support.certificates import serial_shown, write_pair
from support.cluster.cluster import Cluster, start
from support.cluster.nodes import Behaviour, Nodes
from support.cluster.objects import Object, Objects, wait_until
from support.cluster.shared import fresh_namespace
from support.model_objects import looked_at, model, workload
from support.running_operator import NAMESPACE, RunningOperator, operator
from support.starting_pod import fetched, pod_that_fetches, token_of

SECONDS = 60.0
GATEWAY = "mizzen-gateway"


@pytest.fixture(scope="module")
def nodes() -> Iterator[Cluster]:
    """A node whose pods may be told never to become ready."""
    behaviour = Behaviour(label=("test.mizzen.dev/pod", "never"), ready_after=None)
    with start(nodes=[Nodes(1)], behaviours=[behaviour]) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def before(nodes: Cluster) -> Object:
    """The workload of a deployment that was made while the operator spoke plain HTTP."""
    with operator(nodes):
        objects = nodes.objects.within("default")
        objects.create(model("before"))
        objects.wait("ModelDeployment", "before", looked_at, SECONDS)
        return workload(objects, "before")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def speaking_tls(
    nodes: Cluster, before: Object, authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningOperator]:
    """The operator, with a certificate."""
    assert before
    folder = tmp_path_factory.mktemp("operator")
    write_pair(authority, folder / "tls")
    authority.cert_pem.write_to_path(folder / "ca.crt")
    settings = {"tls_dir": folder / "tls", "operator_ca": folder / "ca.crt"}
    with operator(nodes, authority=folder / "ca.crt", **settings) as running:
        yield running


@pytest.fixture
def objects(nodes: Cluster) -> Objects:
    return fresh_namespace(nodes)


def variables_of(pod: Object, container: str) -> dict[str, str]:
    """Fixed variables of an init container."""
    found = next(one for one in pod["spec"]["initContainers"] if one["name"] == container)
    return {one["name"]: one["value"] for one in found["env"] if "value" in one}


def test_a_pod_reports_with_the_authority_that_it_was_given_and_without_it_nothing_arrives(
    nodes: Cluster,
    objects: Objects,
    speaking_tls: RunningOperator,
    authority: trustme.CA,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    pod = pod_that_fetches(objects, "slow")
    token = tmp_path / "token"
    token.write_text(token_of(nodes, pod))
    told = variables_of(pod, "fetch")
    assert told["MIZZEN_OPERATOR_CA"] == variables_of(pod, "layout")["MIZZEN_OPERATOR_CA"]
    assert told["MIZZEN_OPERATOR_CA"] == authority.cert_pem.bytes().decode()
    assert told["MIZZEN_OPERATOR_URL"].startswith("https://")
    own = {
        "MIZZEN_OPERATOR_URL": speaking_tls.url,
        "MIZZEN_REGISTRY_TOKEN_FILE": str(token),
        "MIZZEN_TERMINATION_LOG": str(tmp_path / "last-words"),
        "POD_NAME": pod["metadata"]["name"],
    }
    for stranger in ("", trustme.CA().cert_pem.bytes().decode()):
        ProgressReport(told | own | {"MIZZEN_OPERATOR_CA": stranger}, "fetch").ended(30, 100)
        assert "CERTIFICATE_VERIFY_FAILED" in capfd.readouterr().err
    found = objects.get("ModelDeployment", "slow")
    assert found is not None
    assert not fetched(30)(found)
    ProgressReport(told | own, "fetch").ended(70, 100)
    assert "did not take" not in capfd.readouterr().err
    objects.wait("ModelDeployment", "slow", fetched(70), SECONDS)


def test_a_gateway_reports_to_whom_it_trusts(nodes: Cluster, speaking_tls: RunningOperator) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": GATEWAY, "namespace": NAMESPACE}}
    nodes.objects.create(account)
    bearer = nodes.service_account_token(NAMESPACE, GATEWAY, audience="mizzen-operator")
    load = {"gateway": "g", "boot_id": "b", "sent_at": datetime.now(UTC).isoformat(), "revisions": []}
    headers = {"Authorization": f"Bearer {bearer}"}

    def posted(url: str, trusted: RunningOperator | None) -> int:
        verify = trusted.trusted if trusted else True
        return httpx.post(f"{url}/v1/load", json=load, headers=headers, trust_env=False, verify=verify).status_code

    assert posted(speaking_tls.url, speaking_tls) == 204
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        posted(speaking_tls.url, None)
    with pytest.raises(httpx.TransportError):
        posted(speaking_tls.url.replace("https", "http"), None)


def test_a_renewed_certificate_is_taken_up_and_half_a_pair_is_not(
    speaking_tls: RunningOperator, authority: trustme.CA
) -> None:
    folder, port = Path(speaking_tls.environment["MIZZEN_TLS_DIR"]), speaking_tls.port.number
    first = serial_shown(port)
    write_pair(authority, folder, "tls.crt")
    wait_until(lambda: "renewed certificate is not usable" in str(speaking_tls.logs()), 40, speaking_tls.tell)
    assert serial_shown(port) == first
    write_pair(authority, folder)
    wait_until(lambda: serial_shown(port) != first, 40, speaking_tls.tell)


def test_what_was_deployed_before_is_left_as_it_is(
    nodes: Cluster, before: Object, speaking_tls: RunningOperator
) -> None:
    speaking_tls.wait_idle()
    now = workload(nodes.objects.within("default"), "before")
    assert now["metadata"]["name"] == before["metadata"]["name"], "another revision"
    assert now["spec"]["template"] == before["spec"]["template"]
