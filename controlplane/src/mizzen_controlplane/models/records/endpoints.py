"""Routes of cards, lineage and results of evaluations."""

from typing import Annotated

from fastapi import Depends, Response

from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.etag import IfMatch
from mizzen_controlplane.kit.pages import AskedPage, Page
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.kit.wire import with_etag
from mizzen_controlplane.models.records import cards, evaluations, lineage
from mizzen_controlplane.models.records.schemas import CardPut, CardView, Descent, EvaluationCreate, EvaluationView
from mizzen_controlplane.models.scope import ModelRef, VersionNumber

router = api_router("records")

ModelReader = Annotated[Subject, Depends(Allow(Permission.MODELS_READ))]
ModelWriter = Annotated[Subject, Depends(Allow(Permission.MODELS_WRITE))]
VersionWriter = Annotated[Subject, Depends(Allow(Permission.VERSIONS_WRITE))]

MODEL = "/api/v1/projects/{project}/models/{model}"
VERSION = MODEL + "/versions/{version}"
_MADE = {"model": CardView, "description": "Made"}


@router.get(MODEL + "/card")
async def get_model_card(
    project: ProjectRef, model: ModelRef, plane: ThePlane, _subject: ModelReader, response: Response
) -> CardView:
    """Read what is written about a model."""
    card = await cards.get(plane, project, model, None)
    with_etag(response, card)
    return cards.view(card)


@router.put(MODEL + "/card", responses={201: _MADE})
async def put_model_card(
    project: ProjectRef,
    model: ModelRef,
    body: CardPut,
    plane: ThePlane,
    subject: ModelWriter,
    if_match: IfMatch,
    response: Response,
) -> CardView:
    """Write about a model, in Markdown."""
    card, made = await cards.put(plane, subject, project, model, None, body, if_match)
    with_etag(response, card)
    response.status_code = 201 if made else 200
    return cards.view(card)


@router.delete(MODEL + "/card", status_code=204)
async def delete_model_card(
    project: ProjectRef, model: ModelRef, plane: ThePlane, subject: ModelWriter, if_match: IfMatch
) -> None:
    """Remove a model's card."""
    await cards.delete(plane, subject, project, model, None, if_match)


@router.get(VERSION + "/card")
async def get_version_card(
    project: ProjectRef,
    model: ModelRef,
    version: VersionNumber,
    plane: ThePlane,
    _subject: ModelReader,
    response: Response,
) -> CardView:
    """Read what is written about a version."""
    card = await cards.get(plane, project, model, version)
    with_etag(response, card)
    return cards.view(card)


@router.put(VERSION + "/card", responses={201: _MADE})
async def put_version_card(
    project: ProjectRef,
    model: ModelRef,
    version: VersionNumber,
    body: CardPut,
    plane: ThePlane,
    subject: VersionWriter,
    if_match: IfMatch,
    response: Response,
) -> CardView:
    """Write about a version, in Markdown; its artifact is not touched."""
    card, made = await cards.put(plane, subject, project, model, version, body, if_match)
    with_etag(response, card)
    response.status_code = 201 if made else 200
    return cards.view(card)


@router.delete(VERSION + "/card", status_code=204)
async def delete_version_card(
    project: ProjectRef,
    model: ModelRef,
    version: VersionNumber,
    plane: ThePlane,
    subject: VersionWriter,
    if_match: IfMatch,
) -> None:
    """Remove a version's card."""
    await cards.delete(plane, subject, project, model, version, if_match)


@router.get(VERSION + "/lineage")
async def get_lineage(
    project: ProjectRef, model: ModelRef, version: VersionNumber, plane: ThePlane, _subject: ModelReader
) -> Descent:
    """Read where a version comes from, and what was made from it."""
    return await lineage.descent(plane, project, model, version)


@router.post(VERSION + "/evaluations", status_code=201)
async def create_evaluation(
    project: ProjectRef,
    model: ModelRef,
    version: VersionNumber,
    body: EvaluationCreate,
    plane: ThePlane,
    subject: VersionWriter,
    response: Response,
) -> EvaluationView:
    """Post a result of an evaluation."""
    row, made = await evaluations.create(plane, subject, project, model, version, body)
    with_etag(response, row)
    return made


@router.get(VERSION + "/evaluations")
async def list_evaluations(
    project: ProjectRef,
    model: ModelRef,
    version: VersionNumber,
    plane: ThePlane,
    _subject: ModelReader,
    asked: AskedPage,
) -> Page[EvaluationView]:
    """List a version's results, newest first."""
    items, token = await evaluations.page(plane, project, model, version, asked)
    return Page(items=items, next_page_token=token)
