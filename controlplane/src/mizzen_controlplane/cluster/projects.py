"""Which namespace does a project have in a cluster? That of its Project object; one made here gets such an object.

Whichever side made a project owns it: of a Project object that people wrote the database follows namespace,
permissions, quota, limits and budgets, of one that is made here the object follows the database. No project is ever
deleted by this; limits and budgets that leave a spec are.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog
from mizzen_crds.v1alpha1 import API_VERSION, labels
from sqlalchemy.exc import SQLAlchemyError

from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.identity.projects import follow
from mizzen_controlplane.identity.repository import all_projects
from mizzen_controlplane.kit.background import in_background
from mizzen_controlplane.kit.changes import ACCESS
from mizzen_controlplane.kit.database import reading
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Problem
from mizzen_controlplane.kit.subject import Subject
from mizzen_controlplane.limits.declared import follow_declaration, is_settled, release
from mizzen_controlplane.limits.declared_entries import Declaration
from mizzen_controlplane.limits.models import ProjectDeclaration
from mizzen_controlplane.limits.repository import all_declarations
from mizzen_controlplane.quotas.declared import Bounds
from mizzen_controlplane.quotas.models import ProjectQuota
from mizzen_controlplane.quotas.repository import all_quotas

if TYPE_CHECKING:  # one machine has no API server and need not load its client
    from mizzen_kube.api import Api
    from mizzen_kube.reflector import Reflector

MANAGER: Final = "mizzen-controlplane"
"""Field manager, and label `app.kubernetes.io/managed-by` of the objects made here."""
CLUSTER: Final = Subject("cluster", frozenset())
"""In audit events: what the database follows was changed by someone in the cluster."""
LOOK_SECONDS: Final = 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ProjectObject:
    """What is read of a Project object."""

    namespace: str
    """The first that it has; empty until the operator bound one."""
    allow_code: bool
    made_here: bool
    declared: Declaration
    """Its limits, budgets and quota."""
    manifest: Mapping[str, Any]
    """Its identity, for a write."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the database has of all projects, by their id."""

    declarations: Mapping[str, ProjectDeclaration]
    quotas: Mapping[str, ProjectQuota]


def view_of(manifest: Mapping[str, Any]) -> ProjectObject:
    """What is read of a Project object."""
    metadata, spec, status = manifest["metadata"], manifest.get("spec") or {}, manifest.get("status") or {}
    bound = [str(one["name"]) for one in status.get("namespaces") or () if one.get("state") == "Bound"]
    identity = {name: metadata[name] for name in ("name", "uid", "resourceVersion")}
    made_here = (metadata.get("labels") or {}).get(labels.MANAGED_BY) == MANAGER
    return ProjectObject(
        namespace=bound[0] if bound and "deletionTimestamp" not in metadata else "",
        allow_code=spec.get("modelCode") == "Allowed",
        made_here=made_here,
        declared=Declaration(
            uid=metadata["uid"],
            generation=metadata["generation"],
            limits=spec.get("limits") or (),
            budgets=spec.get("budgets") or (),
            made_here=made_here,
            quota=spec.get("quota") or {},
        ),
        manifest={"apiVersion": API_VERSION, "kind": "Project", "metadata": identity},
    )


@asynccontextmanager
async def projects_followed(plane: Plane) -> AsyncIterator[None]:
    """Keep both sides alike while the control plane runs; on one machine there is one side."""
    if plane.cluster is None:
        yield
        return
    async with in_background(_follow(plane, plane.cluster), "projects"):
        yield


async def _follow(plane: Plane, api: "Api") -> None:
    from mizzen_kube.errors import ApiError  # as above
    from mizzen_kube.reflector import Reflector
    from mizzen_kube.resources import PROJECTS

    with plane.database.signals.listening(ACCESS) as woken:
        objects = Reflector(api, PROJECTS, keep=view_of, on_change=lambda _change: woken.set())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(objects.run())
            await objects.synced.wait()
            while True:
                woken.clear()
                try:
                    await _pass(plane, api, objects)
                except (ApiError, SQLAlchemyError, Problem) as error:
                    log.warning("projects not followed", error=str(error)[:300])
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await woken.wait()


async def _pass(plane: Plane, api: "Api", objects: "Reflector[ProjectObject]") -> None:
    async with reading(plane.database) as session:
        rows = {row.name: row for row in await all_projects(session)}
        kept = Kept(
            {one.project_id: one for one in await all_declarations(session)},
            {one.project_id: one for one in await all_quotas(session)},
        )
    for (_, name), found in list(objects.items()):
        try:
            await _follow_one(plane, api, rows.get(name), name, found, kept)
        except Problem as error:  # of this project alone: the others are followed all the same
            log.warning("project not followed", project=name, error=error.detail[:300])
    if objects.absent:
        return
    for row in rows.values():
        if objects.get("", row.name) is None and row.archived_at is None:
            if row.id in kept.declarations:
                await release(plane, row.id)
            await _make(api, row)


async def _follow_one(
    plane: Plane,
    api: "Api",
    row: Project | None,
    name: str,
    found: ProjectObject,
    kept: Kept,
) -> None:
    project_id = row.id if row is not None else ""
    quota = kept.quotas.get(project_id)
    if found.made_here and row is not None:
        await _write(api, row, found, quota)
    elif found.namespace and (row is None or _differs(row, found)):
        await follow(plane, CLUSTER, name, found.namespace, allow_code=found.allow_code)
    taken_up = row is not None or bool(found.namespace)
    if taken_up and not is_settled(found.declared, kept.declarations.get(project_id), quota):
        await follow_declaration(plane, CLUSTER, name, found.declared)


def _differs(row: Project, found: ProjectObject) -> bool:
    return row.archived_at is not None or (row.namespace, row.allow_code) != (found.namespace, found.allow_code)


async def _write(api: "Api", row: Project, found: ProjectObject, quota: ProjectQuota | None) -> None:
    """What the object says otherwise than the database: one write in a pass, since each is held to what was read."""
    if row.allow_code != found.allow_code:
        await api.apply(_manifest(row, found.manifest["metadata"]), field_manager=MANAGER)
    elif quota is not None and Bounds.of_object(found.declared.quota) != Bounds.of_row(quota):
        await _write_quota(api, found, Bounds.of_row(quota))


async def _write_quota(api: "Api", found: ProjectObject, bounds: Bounds) -> None:
    """Whole, so that no class of accelerators stays that somebody added; bounds of resources are left alone."""
    from mizzen_kube.resources import PROJECTS

    identity = found.manifest["metadata"]
    operations = [
        # That fails where it has changed since: the next pass sees what it is then.
        {"op": "replace", "path": "/metadata/resourceVersion", "value": identity["resourceVersion"]},
        {"op": "add", "path": "/spec/quota", "value": bounds.in_object(found.declared.quota)},
    ]
    await api.json_patch(PROJECTS, identity["name"], "", operations, field_manager=MANAGER)


async def _make(api: "Api", row: Project) -> None:
    """A Project object, where the namespace is not there; one that is there stays as it is, with nobody's object."""
    from mizzen_kube.errors import AlreadyExistsError, NotFoundError
    from mizzen_kube.resources import NAMESPACES

    try:
        await api.get(NAMESPACES, row.namespace, metadata_only=True)
    except NotFoundError:
        with suppress(AlreadyExistsError):
            await api.create(_manifest(row, {"name": row.name}), field_manager=MANAGER)
            log.info("Project object made", project=row.name)


def _manifest(row: Project, identity: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "Project",
        "metadata": {**identity, "labels": {labels.MANAGED_BY: MANAGER}},
        "spec": {"namespaces": [row.namespace], "modelCode": "Allowed" if row.allow_code else "Refused"},
    }
