"""Clusters for the charts: one with the definitions, one into which helm puts them itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.chart import Installation
from support.cluster.cluster import Cluster, start
from support.cluster.nodes import Nodes
from support.cluster.shared import bare_cluster  # noqa: F401 - a fixture


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """An empty cluster with controllers and a node, and its audit log."""
    with start(nodes=[Nodes(1)], definitions=False, audit=True) as cluster:
        yield Installation(cluster, tmp_path)


@pytest.fixture(scope="package")
def served_schemas(tmp_path_factory: pytest.TempPathFactory, bare_cluster: Cluster) -> Path:  # noqa: F811 - the fixture
    """What the API server says of every kind, as kubeconform reads it."""
    from support.served_schemas import write_schemas

    return write_schemas(bare_cluster, tmp_path_factory.mktemp("schemas"))
