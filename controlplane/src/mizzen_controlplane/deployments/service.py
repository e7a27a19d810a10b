"""Rules of deployments: what people write is validated, belongs to the project's namespace, and leaves a trace."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
from mizzen_crds.rules import STORED
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.rules import forbidden_changes
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.cluster.objects import Document, ObjectKey, Wanted, wanted_of
from mizzen_controlplane.cluster.store import DeploymentStore, Happened
from mizzen_controlplane.cluster.stores import store_of
from mizzen_controlplane.cluster.validation import validated
from mizzen_controlplane.deployments.merge_patch import merge_patch
from mizzen_controlplane.deployments.ownership import require_writable
from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.database import carried_out, reading, unit_of_work
from mizzen_controlplane.kit.pages import PageQuery, page_of_names
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import (
    BadRequest,
    Conflict,
    FieldError,
    Invalid,
    NotFound,
    PreconditionFailed,
    invalid_field,
)
from mizzen_controlplane.quotas.service import require_accelerators, require_deployment

KIND = "ModelDeployment"
EVENTS_SHOWN = 100

Deployment = tuple[Project, Document]
"""A deployment and the project that it belongs to."""


def etag_of(document: Document) -> str:
    """Changes with spec, labels and annotations, not with the status, which changes by itself."""
    metadata = document["metadata"]
    content = [metadata["uid"], metadata["generation"], metadata.get("labels"), metadata.get("annotations")]
    digest = hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return f'"{digest[:32]}"'


def deployment_id(document: Document) -> str:
    """dep_ and the object's uid."""
    return "dep_" + str(document["metadata"]["uid"]).replace("-", "")


async def list_deployments(plane: Plane, project: str, page: PageQuery) -> tuple[list[Deployment], str]:
    """One page of the project's deployments, by name."""
    async with reading(plane.database) as session:
        owner = await project_or_404(session, plane, project)
        found = (await store_of(plane, session).list_objects(KIND, owner.namespace)).items
    names = [document["metadata"]["name"] for document in found]
    rows, token = page_of_names(found, names, page, plane.secrets.page_key, scope=f"deployments {owner.id}")
    return [(owner, document) for document in rows], token


async def get_deployment(plane: Plane, project: str, name: str) -> Deployment:
    """One deployment; raises NotFound."""
    async with reading(plane.database) as session:
        owner = await project_or_404(session, plane, project)
        return owner, _found(await store_of(plane, session).get(_key(owner, name)), name)


async def observed(plane: Plane, project: str, name: str) -> tuple[Document, list[Happened]]:
    """A deployment and what happened to it, newest first; raises NotFound."""
    async with reading(plane.database) as session:
        owner = await project_or_404(session, plane, project)
        store = store_of(plane, session)
        found = _found(await store.get(_key(owner, name)), name)
        return found, await store.happened(_key(owner, name), EVENTS_SHOWN)


async def apply_deployment(
    plane: Plane,
    subject: Subject,
    project: str,
    name: str,
    body: Document,
    manager: str,
    *,
    if_match: str | None = None,
    only_new: bool = False,
    dry_run: bool = False,
) -> tuple[Deployment, bool]:
    """Create or replace; says whether it is new. `only_new` refuses one that exists; `dry_run` keeps nothing."""
    async with unit_of_work(plane.database) as session:
        owner = await _writable_project(session, plane, project)
        store = store_of(plane, session, owner.name, dry_run=dry_run)
        before = await store.get(_key(owner, name))
        if only_new and before is not None:
            raise Conflict(
                f"A deployment named {name!r} exists already: choose another name, or change it.", code="name_taken"
            )
        if before is None:
            await require_deployment(session, plane, owner)
        _require_match(if_match, before)
        document = _checked(owner, name, body, before)
        require_writable(before, manager, {part: document.get(part) for part in ("metadata", "spec")})
        await require_accelerators(session, plane, owner, document, before)
        wanted = replace(wanted_of(document, manager), partial=True)
        async with carried_out(session, dry_run=dry_run):
            written = await _write(store, session, subject, owner, before, document, wanted)
        return (owner, written), before is None


async def patch_deployment(
    plane: Plane,
    subject: Subject,
    project: str,
    name: str,
    patch_of: Callable[[Document], dict[str, Any]],
    manager: str,
    action: str,
    if_match: str | None = None,
    *,
    dry_run: bool = False,
) -> Deployment:
    """Change what the merge patch says that `patch_of` makes of the present object; `dry_run` keeps nothing."""
    async with unit_of_work(plane.database) as session:
        owner = await _writable_project(session, plane, project)
        store = store_of(plane, session, owner.name, dry_run=dry_run)
        before = _found(await store.get(_key(owner, name)), name)
        _require_match(if_match, before)
        patch = patch_of(before)
        require_writable(before, manager, patch)
        changed = merge_patch({"metadata": _owned_metadata(before), "spec": before["spec"]}, patch)
        document = _checked(owner, name, changed, before)
        await require_accelerators(session, plane, owner, document, before)
        wanted = wanted_of(document, manager)
        async with carried_out(session, dry_run=dry_run):
            written = await _write(store, session, subject, owner, before, document, wanted, action)
        return owner, written


async def delete_deployment(
    plane: Plane,
    subject: Subject,
    project: str,
    name: str,
    manager: str,
    if_match: str | None,
    *,
    dry_run: bool = False,
) -> None:
    """Remove a deployment; whoever runs it takes its pods down. `dry_run` only says whether it could be."""
    async with unit_of_work(plane.database) as session:
        owner = await _writable_project(session, plane, project)
        store = store_of(plane, session, owner.name, dry_run=dry_run)
        before = _found(await store.get(_key(owner, name)), name)
        _require_match(if_match, before)
        require_writable(before, manager, {"$delete": name})
        async with carried_out(session, dry_run=dry_run):
            await store.delete(_key(owner, name), before["metadata"]["uid"])
            record(
                session,
                subject,
                "deployments.delete",
                deployment_id(before),
                name=name,
                project_id=owner.id,
                before=_audited(before),
            )


def person_patch(body: dict[str, Any]) -> dict[str, Any]:
    """The body of PATCH, held to what people may write; raises Invalid."""
    for part in body:
        if part not in ("metadata", "spec"):
            raise invalid_field(
                f"/{part}", f"{part} cannot be patched: metadata.labels, metadata.annotations and spec can"
            )
    metadata = body.get("metadata", {})
    for field in metadata if isinstance(metadata, dict) else ():
        if field not in ("labels", "annotations"):
            raise invalid_field(f"/metadata/{field}", f"metadata.{field} cannot be patched: labels and annotations can")
    return body


def name_in(body: Document) -> str:
    """The name that a manifest gives; raises BadRequest for none."""
    metadata = body.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not name:
        raise BadRequest("metadata.name is missing: give the deployment a name.", code="name_missing")
    return name


async def _writable_project(session: AsyncSession, plane: Plane, project: str) -> Project:
    """The project; its row is held, so that the second of two writers sees the first's, and none meets an archiving."""
    return await project_or_404(session, plane, project, lock=True)


async def _write(
    store: DeploymentStore,
    session: AsyncSession,
    subject: Subject,
    owner: Project,
    before: Document | None,
    document: Document,
    wished: Wanted,
    action: str = "update",
) -> Document:
    if before is not None:
        _require_allowed_change(before, document)
    name = document["metadata"]["name"]
    # Held to the uid that was read here: what people send of uid and version may come from an old copy.
    wanted = replace(wished, uid=before["metadata"]["uid"] if before else "", resource_version="")
    written = await store.apply(_key(owner, name), wanted)
    if before is None or etag_of(before) != etag_of(written):
        record(
            session,
            subject,
            f"deployments.{action if before else 'create'}",
            deployment_id(written),
            name=name,
            project_id=owner.id,
            before=_audited(before) if before else None,
            after=_audited(written),
        )
    return written


def _checked(owner: Project, name: str, body: Document, before: Document | None) -> Document:
    """The manifest, valid and in the project's own namespace; raises Invalid."""
    document = validated(_key(owner, name), body, before)
    given = document["metadata"].get("namespace")
    if given not in (None, "", owner.namespace):
        raise invalid_field(
            "/metadata/namespace",
            f"metadata.namespace is {given!r}, but project {owner.name} has the namespace {owner.namespace!r}: "
            "leave it out, or use the path of the other project",
        )
    return document


def _require_allowed_change(before: Document, after: Document) -> None:
    parts = ({**part, "status": {}} for part in (before, after))
    old, new = (ModelDeployment.model_validate(part, context={STORED: True}) for part in parts)
    found = forbidden_changes(old, new)
    if found:
        errors = [FieldError(mistake.pointer, mistake.message) for mistake in found]
        raise Invalid("; ".join(str(mistake) for mistake in found), code="immutable_field", errors=errors)


def _require_match(if_match: str | None, document: Document | None) -> None:
    if if_match is None or (document is not None and if_match.strip() == "*"):
        return
    now = etag_of(document) if document else "none, it does not exist"
    if now not in [part.strip() for part in if_match.split(",")]:
        raise PreconditionFailed(
            f"If-Match is {if_match}, but the ETag is {now}. Read it again, then repeat the change."
        )


def _key(owner: Project, name: str) -> ObjectKey:
    return ObjectKey(KIND, owner.namespace, name)


def _found(document: Document | None, name: str) -> Document:
    if document is None:
        raise NotFound(f"There is no deployment {name[:64]!r} in this project.", code="deployment_not_found")
    return document


def _owned_metadata(document: Document) -> Document:
    metadata = document["metadata"]
    return {
        "name": metadata["name"],
        "labels": metadata.get("labels", {}),
        "annotations": metadata.get("annotations", {}),
    }


def _audited(document: Document) -> dict[str, Any]:
    return {**_owned_metadata(document), "spec": document["spec"]}
