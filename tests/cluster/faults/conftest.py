"""A cluster with pods and an operator behind the fault proxy; a namespace for each test."""

from collections.abc import Iterator

import pytest
from support.cluster.cluster import Cluster, start
from support.cluster.credentials import ADMIN
from support.cluster.fault_proxy import FaultProxy
from support.cluster.nodes import Behaviour, Nodes
from support.cluster.objects import Objects
from support.cluster.shared import fresh_namespace
from support.running_operator import RunningOperator, operator
from support.troubles import BEHAVES


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Pods become ready at once, or never by their label. Its parts are stopped and its store is compacted here."""
    behaviours = [Behaviour(label=(BEHAVES, "never"), ready_after=None), Behaviour(ready_after=0.2, gone_after=0.2)]
    with start(nodes=[Nodes(1, accelerators=0)], behaviours=behaviours) as cluster:
        yield cluster


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[FaultProxy]:
    """What stands between."""
    with FaultProxy(cluster) as proxy:
        yield proxy


@pytest.fixture
def running(cluster: Cluster, proxy: FaultProxy) -> Iterator[RunningOperator]:
    """An operator of this test, with its own lease, that compares every two seconds."""
    kubeconfig = cluster.kubeconfig_of(ADMIN, server=proxy.server)
    with operator(cluster, kubeconfig, compare_seconds=2) as running:
        yield running
    cluster.objects.delete("Lease", "mizzen-operator", "mizzen-system")


@pytest.fixture
def objects(cluster: Cluster) -> Iterator[Objects]:
    """What the administrator sees, in a namespace of this test, which goes afterwards."""
    found = fresh_namespace(cluster)
    yield found
    found.delete("Namespace", found.namespace)
