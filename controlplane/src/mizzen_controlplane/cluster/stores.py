"""Which store keeps the objects of this installation? The database on one machine, the Kubernetes API in a cluster."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.cluster.sql_store import SqlDeploymentStore
from mizzen_controlplane.cluster.sql_watch import SqlObjectWatch
from mizzen_controlplane.cluster.store import DeploymentStore, ObjectWatch
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.plane import Plane


def store_of(plane: Plane, session: AsyncSession, project: str = "", *, dry_run: bool = False) -> DeploymentStore:
    """The store for one request; in a cluster it writes to the namespaces of `project` alone, where one is given.

    With `dry_run` a cluster keeps nothing of what it writes; in the database the transaction sees to that.

    A write to a cluster happens before the transaction commits, so that what is refused leaves no audit event. A
    process that dies in between leaves a change without one; the API server's own audit log has it.
    """
    if plane.cluster is None:
        return SqlDeploymentStore(session)
    from mizzen_controlplane.cluster.kubernetes_store import KubernetesDeploymentStore  # one machine needs no client

    return KubernetesDeploymentStore(plane.cluster, project, plane.settings.namespace, dry_run=dry_run)


@asynccontextmanager
async def reading_store(plane: Plane) -> AsyncIterator[DeploymentStore]:
    """The store, for reading alone."""
    async with reading(plane.database) as session:
        yield store_of(plane, session)


@asynccontextmanager
async def writing_store(plane: Plane) -> AsyncIterator[DeploymentStore]:
    """The store, in a transaction of its own."""
    async with unit_of_work(plane.database) as session:
        yield store_of(plane, session)


def watch_of(plane: Plane) -> ObjectWatch:
    """The watch over the store's objects."""
    if plane.cluster is None:
        return SqlObjectWatch(plane.database)
    from mizzen_controlplane.cluster.kubernetes_watch import KubernetesObjectWatch  # one machine needs no client

    return KubernetesObjectWatch(plane.cluster, plane.database.signals)
