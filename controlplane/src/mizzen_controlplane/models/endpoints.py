"""Routes of models and aliases."""

from typing import Annotated

from fastapi import Depends, Path, Query, Response

from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.etag import IfMatch
from mizzen_controlplane.kit.pages import AskedPage, Page
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.kit.wire import with_etag
from mizzen_controlplane.models import aliases, catalog, versions
from mizzen_controlplane.models.comparison import compare
from mizzen_controlplane.models.records import evaluations
from mizzen_controlplane.models.schemas import (
    AliasForce,
    AliasName,
    AliasPut,
    AliasView,
    Comparison,
    ModelCreate,
    ModelPatch,
    ModelView,
)
from mizzen_controlplane.models.scope import ModelRef

router = api_router("models")

AliasWriter = Annotated[Subject, Depends(Allow(Permission.ALIASES_WRITE))]
AliasForcer = Annotated[Subject, Depends(Allow(Permission.ALIASES_FORCE))]
ModelReader = Annotated[Subject, Depends(Allow(Permission.MODELS_READ))]
ModelWriter = Annotated[Subject, Depends(Allow(Permission.MODELS_WRITE))]

MODELS = "/api/v1/projects/{project}/models"
MODEL = MODELS + "/{model}"
Number = Annotated[int, Query(ge=1)]


@router.post(MODELS, status_code=201)
async def create_model(
    project: ProjectRef, body: ModelCreate, plane: ThePlane, subject: ModelWriter, response: Response
) -> ModelView:
    """Make a model; versions are pushed to it."""
    owner, made = await catalog.create(plane, subject, project, body)
    with_etag(response, made)
    return catalog.view(owner, made)


@router.get(MODELS)
async def list_models(project: ProjectRef, plane: ThePlane, _subject: ModelReader, asked: AskedPage) -> Page[ModelView]:
    """List a project's models."""
    items, token = await catalog.page(plane, project, asked)
    return Page(items=items, next_page_token=token)


@router.get(MODEL + ":compare")
async def compare_versions(
    project: ProjectRef,
    model: ModelRef,
    plane: ThePlane,
    _subject: ModelReader,
    from_: Annotated[int, Query(alias="from", ge=1)],
    to: Number,
) -> Comparison:
    """What a caller of version `from` would notice with version `to`."""
    _row, one = await versions.get(plane, project, model, from_)
    _row, other = await versions.get(plane, project, model, to)
    return compare(
        one,
        other,
        await evaluations.values(plane, project, model, from_),
        await evaluations.values(plane, project, model, to),
    )


@router.get(MODEL)
async def get_model(
    project: ProjectRef, model: ModelRef, plane: ThePlane, _subject: ModelReader, response: Response
) -> ModelView:
    """Read a model."""
    owner, found = await catalog.get(plane, project, model)
    with_etag(response, found)
    return catalog.view(owner, found)


@router.patch(MODEL)
async def change_model(
    project: ProjectRef,
    model: ModelRef,
    body: ModelPatch,
    plane: ThePlane,
    subject: ModelWriter,
    if_match: IfMatch,
    response: Response,
) -> ModelView:
    """Change a model's description or labels."""
    owner, changed = await catalog.change(plane, subject, project, model, body, if_match)
    with_etag(response, changed)
    return catalog.view(owner, changed)


@router.get(MODEL + "/aliases")
async def list_aliases(
    project: ProjectRef, model: ModelRef, plane: ThePlane, _subject: ModelReader, asked: AskedPage
) -> Page[AliasView]:
    """List a model's aliases."""
    items, token = await aliases.page(plane, project, model, asked)
    return Page(items=items, next_page_token=token)


@router.get(MODEL + "/aliases/{alias}")
async def get_alias(
    project: ProjectRef,
    model: ModelRef,
    alias: Annotated[AliasName, Path()],
    plane: ThePlane,
    _subject: ModelReader,
    response: Response,
) -> AliasView:
    """Read an alias."""
    row, found = await aliases.get(plane, project, model, alias)
    with_etag(response, row)
    return found


@router.put(MODEL + "/aliases/{alias}", responses={201: {"model": AliasView, "description": "Made"}})
async def put_alias(
    project: ProjectRef,
    model: ModelRef,
    alias: Annotated[AliasName, Path()],
    body: AliasPut,
    plane: ThePlane,
    subject: AliasWriter,
    if_match: IfMatch,
    response: Response,
) -> AliasView:
    """Point an alias at a READY version; deployments that follow it roll."""
    row, put, made = await aliases.put(plane, subject, project, model, alias, body, if_match)
    with_etag(response, row)
    response.status_code = 201 if made else 200
    return put


@router.post(MODEL + "/aliases/{alias}:force", responses={201: {"model": AliasView, "description": "Made"}})
async def force_alias(
    project: ProjectRef,
    model: ModelRef,
    alias: Annotated[AliasName, Path()],
    body: AliasForce,
    plane: ThePlane,
    subject: AliasForcer,
    if_match: IfMatch,
    response: Response,
) -> AliasView:
    """Point an alias at a READY version with a reason, whatever the model asks of promotions."""
    row, put, made = await aliases.put(plane, subject, project, model, alias, body, if_match)
    with_etag(response, row)
    response.status_code = 201 if made else 200
    return put


@router.delete(MODEL + "/aliases/{alias}", status_code=204)
async def delete_alias(
    project: ProjectRef,
    model: ModelRef,
    alias: Annotated[AliasName, Path()],
    plane: ThePlane,
    subject: AliasWriter,
    if_match: IfMatch,
) -> None:
    """Remove an alias."""
    await aliases.delete(plane, subject, project, model, alias, if_match)
