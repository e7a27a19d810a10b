"""Which cluster do the tests of one run share? One bare and one with nodes for each suite; a namespace for each test.

A suite's conftest.py takes what it needs: `from support.cluster.shared import bare_cluster, namespace`.
"""

import itertools
from collections.abc import Iterator

import pytest
from support.cluster.cluster import Cluster, start
from support.cluster.nodes import Nodes
from support.cluster.objects import Objects

_NUMBERS = itertools.count()


@pytest.fixture(scope="package")
def bare_cluster() -> Iterator[Cluster]:
    """An API server with the definitions; no controllers, so nothing changes but what a test does."""
    with start() as cluster:
        yield cluster


@pytest.fixture(scope="package")
def node_cluster() -> Iterator[Cluster]:
    """A cluster with two nodes of 8 accelerators, on which pods become ready."""
    with start(nodes=[Nodes(2)]) as cluster:
        yield cluster


def fresh_namespace(cluster: Cluster) -> Objects:
    """Objects of the administrator in a namespace that was not there before."""
    name = f"test-{next(_NUMBERS)}"
    cluster.objects.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return cluster.objects.within(name)
