"""Clusters that the library's own tests share."""

from support.cluster.shared import bare_cluster, node_cluster  # noqa: F401 - fixtures
