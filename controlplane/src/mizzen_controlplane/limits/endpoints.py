"""Routes of rate limits: a project's, and the organization's."""

from typing import Annotated

from fastapi import Depends, Query, Response
from mizzen_crds.access import LimitMetric
from mizzen_crds.project_limits import ProjectLimitsAnswer

from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.etag import IfMatch
from mizzen_controlplane.kit.pages import AskedPage, Page
from mizzen_controlplane.kit.plane import Plane, ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.kit.wire import resource_fields, with_etag
from mizzen_controlplane.limits import declared, service
from mizzen_controlplane.limits.models import Limit
from mizzen_controlplane.limits.schemas import LimitCreate, LimitPatch, LimitView
from mizzen_controlplane.pricing.money import amount_text

router = api_router("limits")

LimitReader = Annotated[Subject, Depends(Allow(Permission.LIMITS_READ))]
LimitWriter = Annotated[Subject, Depends(Allow(Permission.LIMITS_WRITE))]
OF_PROJECT = "/api/v1/projects/{project}/limits"
OF_ORGANIZATION = "/api/v1/limits"


def _view(plane: Plane, row: Limit) -> LimitView:
    of_cost = row.metric == LimitMetric.COST
    shown = row.model_dump(include=set(LimitView.model_fields) - {"project_id"}) | {
        "project_id": row.parent_id if row.parent_id != plane.organization_id else "",
        "amount": None if of_cost else row.amount,
        "cost": amount_text(row.amount) if of_cost else None,
    }
    return LimitView.model_validate(shown | resource_fields(row))


def _answer(plane: Plane, response: Response, row: Limit) -> LimitView:
    with_etag(response, row)
    return _view(plane, row)


@router.get(OF_PROJECT)
async def list_limits(_: LimitReader, plane: ThePlane, project: ProjectRef, page: AskedPage) -> Page[LimitView]:
    """The project's rate limits."""
    rows, token = await service.list_limits(plane, project, page)
    return Page(items=[_view(plane, row) for row in rows], next_page_token=token)


@router.get(OF_PROJECT + "/{limit}")
async def get_limit(_: LimitReader, plane: ThePlane, project: ProjectRef, limit: str, response: Response) -> LimitView:
    """One rate limit."""
    return _answer(plane, response, await service.get_limit(plane, project, limit))


@router.post(OF_PROJECT, status_code=201)
async def create_limit(
    subject: LimitWriter, plane: ThePlane, project: ProjectRef, body: LimitCreate, response: Response
) -> LimitView:
    """Make a rate limit; one that could never match is refused."""
    return _answer(plane, response, await service.create_limit(plane, subject, project, body))


@router.patch(OF_PROJECT + "/{limit}")
async def patch_limit(
    subject: LimitWriter,
    plane: ThePlane,
    project: ProjectRef,
    limit: str,
    body: LimitPatch,
    response: Response,
    if_match: IfMatch,
) -> LimitView:
    """Change a rate limit."""
    return _answer(plane, response, await service.patch_limit(plane, subject, project, limit, body, if_match))


@router.delete(OF_PROJECT + "/{limit}", status_code=204)
async def delete_limit(
    subject: LimitWriter, plane: ThePlane, project: ProjectRef, limit: str, if_match: IfMatch
) -> None:
    """Remove a rate limit."""
    await service.delete_limit(plane, subject, project, limit, if_match)


@router.get(OF_ORGANIZATION)
async def list_organization_limits(_: LimitReader, plane: ThePlane, page: AskedPage) -> Page[LimitView]:
    """The organization's rate limits."""
    rows, token = await service.list_limits(plane, None, page)
    return Page(items=[_view(plane, row) for row in rows], next_page_token=token)


@router.get(OF_ORGANIZATION + "/{limit}")
async def get_organization_limit(_: LimitReader, plane: ThePlane, limit: str, response: Response) -> LimitView:
    """One rate limit of the organization."""
    return _answer(plane, response, await service.get_limit(plane, None, limit))


@router.post(OF_ORGANIZATION, status_code=201)
async def create_organization_limit(
    subject: LimitWriter, plane: ThePlane, body: LimitCreate, response: Response
) -> LimitView:
    """Make a rate limit over all projects together."""
    return _answer(plane, response, await service.create_limit(plane, subject, None, body))


@router.patch(OF_ORGANIZATION + "/{limit}")
async def patch_organization_limit(
    subject: LimitWriter, plane: ThePlane, limit: str, body: LimitPatch, response: Response, if_match: IfMatch
) -> LimitView:
    """Change a rate limit of the organization."""
    return _answer(plane, response, await service.patch_limit(plane, subject, None, limit, body, if_match))


@router.delete(OF_ORGANIZATION + "/{limit}", status_code=204)
async def delete_organization_limit(subject: LimitWriter, plane: ThePlane, limit: str, if_match: IfMatch) -> None:
    """Remove a rate limit of the organization."""
    await service.delete_limit(plane, subject, None, limit, if_match)


@router.get("/internal/v1/projects/{project}/limits", dependencies=[Depends(Allow(Permission.PROJECT_LIMITS_READ))])
async def get_declared_limits(
    plane: ThePlane,
    project: str,
    uid: Annotated[str, Query(min_length=1, max_length=64)],
    generation: Annotated[int, Query(ge=0, le=2**63 - 1)],
) -> ProjectLimitsAnswer:
    """What became of the limits and budgets of one generation of a Project object."""
    return await declared.answer_about(plane, project, uid, generation)
