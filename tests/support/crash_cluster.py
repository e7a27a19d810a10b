"""A cluster with pods, a proxy and an operator behind it, for killing that operator in the middle of its writes."""

from collections.abc import Iterator
from contextlib import contextmanager

from support.cluster.cluster import start
from support.cluster.credentials import ADMIN
from support.cluster.fault_proxy import FaultProxy
from support.cluster.nodes import Behaviour, Nodes
from support.crash_matrix import CrashMatrix
from support.crash_stories import STORIES
from support.end_state import RELEASES
from support.running_operator import operator


@contextmanager
def crash_matrix() -> Iterator[CrashMatrix]:
    """All stories, measured undisturbed."""
    behaviours = [Behaviour(ready_after=0.2, gone_after=0.2)]
    with (
        start(nodes=[Nodes(2, accelerators=0)], behaviours=behaviours) as cluster,
        FaultProxy(cluster) as proxy,
        operator(cluster, cluster.kubeconfig_of(ADMIN, server=proxy.server), platform_image=RELEASES[0]) as running,
    ):
        yield CrashMatrix(cluster, proxy, running, STORIES)
