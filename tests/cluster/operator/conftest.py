"""A cluster with nodes and one operator, shared by a worker's tests; a namespace for each test."""

from collections.abc import Iterator

import pytest
from support.cluster.cluster import Cluster, start
from support.cluster.nodes import Behaviour, Failure, Nodes
from support.cluster.objects import Objects
from support.cluster.shared import fresh_namespace
from support.model_registry import ModelRegistry, model_registry
from support.running_operator import RunningOperator, operator

LABEL = "test.mizzen.dev/pod"
"""In podOverrides.labels: how the pods behave on the nodes."""


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    """Two nodes of 8 accelerators; pods become ready, crash or never become ready by their label."""
    behaviours = [
        Behaviour(label=(LABEL, "never"), ready_after=None),
        Behaviour(
            label=(LABEL, "crash"),
            failure=Failure(exit_code=7, message="RuntimeError: the weights have another shape"),
        ),
        Behaviour(
            label=(LABEL, "no-fetch"),
            failure=Failure(exit_code=12, message="DigestMismatch: a.onnx differs", init=True),
        ),
    ]
    with start(nodes=[Nodes(2)], behaviours=behaviours) as cluster:
        yield cluster


@pytest.fixture(scope="package")
def registry() -> Iterator[ModelRegistry]:
    """Answers which version a reference means."""
    with model_registry() as registry:
        yield registry


@pytest.fixture(scope="package")
def running(cluster: Cluster, registry: ModelRegistry) -> Iterator[RunningOperator]:
    """The operator."""
    with operator(cluster, controlplane_url=registry.url) as running:
        yield running


@pytest.fixture
def objects(cluster: Cluster, running: RunningOperator) -> Objects:
    """What the administrator sees, in a namespace of this test; the operator works."""
    assert running.process.runs
    return fresh_namespace(cluster)
