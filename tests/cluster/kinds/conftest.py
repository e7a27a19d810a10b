"""Clusters of the tests of kinds beside ModelDeployment."""

from support.cluster.shared import bare_cluster, node_cluster  # noqa: F401 - fixtures
