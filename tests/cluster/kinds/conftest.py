"""Clusters of the tests of kinds beside ModelDeployment; on one of them the operator runs."""

from collections.abc import Iterator

import pytest
from support.cluster.cluster import Cluster, start
from support.cluster.nodes import Nodes
from support.cluster.objects import Objects
from support.cluster.shared import bare_cluster, node_cluster  # noqa: F401 - fixtures
from support.running_operator import RunningOperator, operator


@pytest.fixture(scope="package")
def worked_cluster() -> Iterator[Cluster]:
    """Two nodes of 8 accelerators and all controllers, with an audit log."""
    with start(nodes=[Nodes(2)], audit=True) as cluster:
        yield cluster


@pytest.fixture(scope="package")
def running(worked_cluster: Cluster) -> Iterator[RunningOperator]:
    """The operator, on that cluster."""
    with operator(worked_cluster) as running:
        yield running


@pytest.fixture
def objects(worked_cluster: Cluster, running: RunningOperator) -> Objects:
    """What the administrator sees; the operator works."""
    assert running.process.runs, running.tell()
    return worked_cluster.objects


@pytest.fixture(scope="module")
def objects_of_module(worked_cluster: Cluster, running: RunningOperator) -> Objects:
    """The same, for fixtures of a whole module."""
    assert running.process.runs, running.tell()
    return worked_cluster.objects
