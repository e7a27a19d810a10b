"""A cluster with nodes and one operator for all rollouts; a namespace and a pool of accelerators for each test."""

from collections.abc import Callable, Iterator

import pytest
from support.cluster.cluster import Cluster, start
from support.cluster.nodes import Behaviour, Failure, Nodes
from support.cluster.objects import Objects
from support.cluster.shared import fresh_namespace
from support.controlplane import ControlPlane
from support.gateway_of_cluster import NAMESPACE as MIZZEN
from support.gateway_of_cluster import make_account
from support.rollouts import BEHAVES, FIRST_WORDS, LAST_WORDS, LoadSource, add_pool
from support.running_operator import RunningOperator, operator


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    """Pods take a while to become ready and to go; by label they crash, or wait until a test makes them ready."""
    behaviours = [
        Behaviour(label=(BEHAVES, "never"), ready_after=None),
        Behaviour(label=(BEHAVES, "crash"), failure=Failure(exit_code=7, message=f"{FIRST_WORDS}\n{LAST_WORDS}")),
        Behaviour(ready_after=0.3, gone_after=0.5),
    ]
    with start(nodes=[Nodes(1, accelerators=0, prefix="plain")], behaviours=behaviours) as cluster:
        yield cluster


@pytest.fixture(scope="package")
def absent_controlplane(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> ControlPlane:
    """Where a control plane will be and with what rights, not running: most tests need none, and it takes seconds."""
    folder = tmp_path_factory.mktemp("plane")
    kubeconfig = cluster.service_account_kubeconfig(MIZZEN, make_account(cluster, "controlplane"))
    kubernetes = {"MIZZEN_STORE": "kubernetes", "KUBECONFIG": str(kubeconfig)}
    return ControlPlane(folder, f"sqlite+aiosqlite:///{folder / 'controlplane.db'}", environment=kubernetes)


@pytest.fixture(scope="package")
def controlplane(absent_controlplane: ControlPlane) -> Iterator[ControlPlane]:
    """The control plane that the operator asks, whose deployments are custom resources."""
    with absent_controlplane as plane:
        yield plane


@pytest.fixture(scope="package")
def running(cluster: Cluster, absent_controlplane: ControlPlane) -> Iterator[RunningOperator]:
    """The operator."""
    token = absent_controlplane.secrets_dir / "runner"
    with operator(cluster, controlplane_url=absent_controlplane.url, token_file=token) as running:
        yield running


@pytest.fixture
def objects(cluster: Cluster, running: RunningOperator) -> Iterator[Objects]:
    """What the administrator sees, in a namespace of this test, which goes afterwards; the operator works."""
    assert running.process.runs
    found = fresh_namespace(cluster)
    yield found
    found.delete("Namespace", found.namespace)


@pytest.fixture
def pool(cluster: Cluster, objects: Objects) -> Callable[[int], str]:
    """`pool(4)` gives the test so many accelerators, and returns the name of their class."""
    return lambda accelerators: add_pool(cluster, objects.namespace, accelerators)


@pytest.fixture(scope="package")
def gateway(cluster: Cluster, running: RunningOperator) -> LoadSource:
    """What a gateway tells, as the test wants it."""
    return LoadSource(cluster, running)
