"""Routes of deployments, for people and pipelines."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Body, Depends, Query, Response

from mizzen_controlplane.deployments import service, verbs
from mizzen_controlplane.deployments.schemas import DeploymentView, RollbackBody, ScaleBody
from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.etag import IfMatch
from mizzen_controlplane.kit.pages import AskedPage, Page
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router

router = api_router("deployments")

DeploymentPromoter = Annotated[Subject, Depends(Allow(Permission.DEPLOYMENTS_PROMOTE))]
DeploymentReader = Annotated[Subject, Depends(Allow(Permission.DEPLOYMENTS_READ))]
DeploymentWriter = Annotated[Subject, Depends(Allow(Permission.DEPLOYMENTS_WRITE))]
PATH = "/api/v1/projects/{project}/deployments"
ONE = PATH + "/{name}"

FieldManager = Annotated[str, Query(min_length=1, max_length=128, description="Who owns the fields from now on.")]
DryRun = Annotated[bool, Query(description="Check all of it and answer what would be, and write nothing.")]
_SPEC = {"engine": {"type": "Triton"}, "model": {"versionRef": {"model": "sentiment", "version": 7}}, "replicas": 2}
_WHOLE = {
    "apiVersion": "mizzen.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "sentiment"},
    "spec": _SPEC,
}
Manifest = Annotated[dict[str, Any], Body(examples=[_WHOLE])]
ManifestPatch = Annotated[dict[str, Any], Body(examples=[{"metadata": {"labels": {"team": "search"}}}])]
API_MANAGER = "mizzen-api"


@router.get(PATH)
async def list_deployments(
    _: DeploymentReader, plane: ThePlane, project: ProjectRef, page: AskedPage
) -> Page[DeploymentView]:
    """The project's deployments, by name."""
    rows, token = await service.list_deployments(plane, project, page)
    return Page(items=[_view(row) for row in rows], next_page_token=token)


@router.get(ONE)
async def get_deployment(
    _: DeploymentReader, plane: ThePlane, project: ProjectRef, name: str, response: Response
) -> DeploymentView:
    """One deployment: its manifest with the status."""
    return _answer(response, await service.get_deployment(plane, project, name))


@router.post(PATH, status_code=201)
async def create_deployment(
    subject: DeploymentWriter,
    plane: ThePlane,
    project: ProjectRef,
    body: Manifest,
    response: Response,
    field_manager: FieldManager = API_MANAGER,
    dry_run: DryRun = False,
) -> DeploymentView:
    """Make a deployment from a manifest; 409 where the name is taken."""
    name = service.name_in(body)
    written, _ = await service.apply_deployment(
        plane, subject, project, name, body, field_manager, only_new=True, dry_run=dry_run
    )
    return _answer(response, written)


@router.put(ONE)
async def apply_deployment(
    subject: DeploymentWriter,
    plane: ThePlane,
    project: ProjectRef,
    name: str,
    body: Manifest,
    response: Response,
    if_match: IfMatch,
    field_manager: FieldManager = API_MANAGER,
    dry_run: DryRun = False,
) -> DeploymentView:
    """Create or replace by name; 201 where it is new, and nothing is written where nothing changes."""
    written, new = await service.apply_deployment(
        plane, subject, project, name, body, field_manager, if_match=if_match, dry_run=dry_run
    )
    response.status_code = 201 if new else 200
    return _answer(response, written)


@router.patch(ONE)
async def patch_deployment(
    subject: DeploymentWriter,
    plane: ThePlane,
    project: ProjectRef,
    name: str,
    body: ManifestPatch,
    response: Response,
    if_match: IfMatch,
    field_manager: FieldManager = API_MANAGER,
    dry_run: DryRun = False,
) -> DeploymentView:
    """Merge-patch the manifest: metadata.labels, metadata.annotations and spec."""
    patch = service.person_patch(body)
    changed = await service.patch_deployment(
        plane, subject, project, name, lambda _: patch, field_manager, "update", if_match, dry_run=dry_run
    )
    return _answer(response, changed)


@router.delete(ONE, status_code=204)
async def delete_deployment(
    subject: DeploymentWriter,
    plane: ThePlane,
    project: ProjectRef,
    name: str,
    if_match: IfMatch,
    field_manager: FieldManager = API_MANAGER,
    dry_run: DryRun = False,
) -> None:
    """Remove a deployment; its pods finish their requests first."""
    await service.delete_deployment(plane, subject, project, name, field_manager, if_match, dry_run=dry_run)


@router.post(ONE + ":scale")
async def scale_deployment(
    subject: DeploymentWriter,
    plane: ThePlane,
    project: ProjectRef,
    name: str,
    body: ScaleBody,
    response: Response,
    dry_run: DryRun = False,
) -> DeploymentView:
    """Set the number of replicas."""
    changed = await service.patch_deployment(
        plane,
        subject,
        project,
        name,
        lambda was: verbs.scale(was, body.replicas),
        API_MANAGER,
        "scale",
        dry_run=dry_run,
    )
    return _answer(response, changed)


@router.post(ONE + ":pause")
async def pause_deployment(
    subject: DeploymentPromoter,
    plane: ThePlane,
    project: ProjectRef,
    name: str,
    response: Response,
    dry_run: DryRun = False,
) -> DeploymentView:
    """Let the rollout take no further step."""
    changed = await service.patch_deployment(
        plane, subject, project, name, lambda _: verbs.rollout_mode("Paused"), API_MANAGER, "pause", dry_run=dry_run
    )
    return _answer(response, changed)


@router.post(ONE + ":resume")
async def resume_deployment(
    subject: DeploymentPromoter,
    plane: ThePlane,
    project: ProjectRef,
    name: str,
    response: Response,
    dry_run: DryRun = False,
) -> DeploymentView:
    """Let the rollout go on."""
    changed = await service.patch_deployment(
        plane, subject, project, name, lambda _: verbs.rollout_mode("Active"), API_MANAGER, "resume", dry_run=dry_run
    )
    return _answer(response, changed)


@router.post(ONE + ":promote")
async def promote_deployment(
    subject: DeploymentPromoter,
    plane: ThePlane,
    project: ProjectRef,
    name: str,
    response: Response,
    dry_run: DryRun = False,
) -> DeploymentView:
    """Let the present canary step pass."""
    changed = await service.patch_deployment(
        plane, subject, project, name, verbs.promote, API_MANAGER, "promote", dry_run=dry_run
    )
    return _answer(response, changed)


@router.post(ONE + ":rollback")
async def rollback_deployment(
    subject: DeploymentPromoter,
    plane: ThePlane,
    project: ProjectRef,
    name: str,
    response: Response,
    body: RollbackBody | None = None,
    dry_run: DryRun = False,
) -> DeploymentView:
    """Pin the version that served before, in the caller's name."""
    version = body.version if body else None
    changed = await service.patch_deployment(
        plane,
        subject,
        project,
        name,
        lambda was: verbs.rollback(was, version),
        API_MANAGER,
        "rollback",
        dry_run=dry_run,
    )
    return _answer(response, changed)


@router.post(ONE + ":restart")
async def restart_deployment(
    subject: DeploymentWriter,
    plane: ThePlane,
    project: ProjectRef,
    name: str,
    response: Response,
    dry_run: DryRun = False,
) -> DeploymentView:
    """Replace every replica, as a rollout."""
    patch = verbs.restart(utc_now())
    changed = await service.patch_deployment(
        plane, subject, project, name, lambda _: patch, API_MANAGER, "restart", dry_run=dry_run
    )
    return _answer(response, changed)


def _answer(response: Response, deployment: service.Deployment) -> DeploymentView:
    view = _view(deployment)
    response.headers["ETag"] = view.etag
    return view


def _view(deployment: service.Deployment) -> DeploymentView:
    project, document = deployment
    metadata = document["metadata"]
    created = datetime.fromisoformat(metadata["creationTimestamp"])
    written = [entry["time"] for entry in metadata.get("managedFields", []) if "time" in entry]
    return DeploymentView(
        id=service.deployment_id(document),
        name=metadata["name"],
        project=project.name,
        created_at=created,
        updated_at=datetime.fromisoformat(written[0]) if written else created,
        etag=service.etag_of(document),
        labels=metadata.get("labels", {}),
        manifest=document,
    )
