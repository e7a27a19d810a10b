"""Clusters and a namespace for the definitions' tests."""

import pytest
from support.cluster.cluster import Cluster
from support.cluster.objects import Objects
from support.cluster.shared import bare_cluster, fresh_namespace, node_cluster  # noqa: F401 - fixtures


@pytest.fixture
def objects(bare_cluster: Cluster) -> Objects:  # noqa: F811 - the fixture of that name
    """A namespace of the bare cluster."""
    return fresh_namespace(bare_cluster)
