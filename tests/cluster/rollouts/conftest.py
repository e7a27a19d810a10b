"""A cluster with nodes and one operator for all rollouts; a namespace and a pool of accelerators for each test."""

from collections.abc import Callable, Iterator

import pytest
from support.cluster.cluster import Cluster, start
from support.cluster.nodes import Behaviour, Failure, Nodes
from support.cluster.objects import Objects
from support.cluster.shared import fresh_namespace
from support.rollouts import BEHAVES, FIRST_WORDS, LAST_WORDS, LoadSource, add_pool
from support.running_operator import RunningOperator, operator


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Pods take a while to become ready and to go; by label they crash, or wait until a test makes them ready."""
    behaviours = [
        Behaviour(label=(BEHAVES, "never"), ready_after=None),
        Behaviour(label=(BEHAVES, "crash"), failure=Failure(exit_code=7, message=f"{FIRST_WORDS}\n{LAST_WORDS}")),
        Behaviour(ready_after=0.3, gone_after=0.5),
    ]
    with start(nodes=[Nodes(1, accelerators=0, prefix="plain")], behaviours=behaviours) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def running(cluster: Cluster) -> Iterator[RunningOperator]:
    """The operator."""
    with operator(cluster) as running:
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


@pytest.fixture(scope="session")
def gateway(cluster: Cluster, running: RunningOperator) -> LoadSource:
    """What a gateway tells, as the test wants it."""
    return LoadSource(cluster, running)
