"""Routes of budgets: a project's, the organization's, and the credit that gateways lease."""

from typing import Annotated

from fastapi import Depends, Response
from mizzen_crds.access import LeaseGrant, LeaseRequest

from mizzen_controlplane.budgets import service
from mizzen_controlplane.budgets.schemas import BudgetCreate, BudgetPatch, BudgetView
from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.etag import IfMatch
from mizzen_controlplane.kit.pages import AskedPage, Page
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router

router = api_router("budgets")

BudgetReader = Annotated[Subject, Depends(Allow(Permission.BUDGETS_READ))]
BudgetWriter = Annotated[Subject, Depends(Allow(Permission.BUDGETS_WRITE))]
OF_PROJECT = "/api/v1/projects/{project}/budgets"
OF_ORGANIZATION = "/api/v1/budgets"


def _answer(response: Response, view: BudgetView) -> BudgetView:
    response.headers["ETag"] = view.etag
    return view


@router.post("/internal/v1/budget-leases", dependencies=[Depends(Allow(Permission.BUDGET_LEASE))])
async def lease_credit(plane: ThePlane, body: LeaseRequest) -> LeaseGrant:
    """Set budget credit aside for a gateway, renew it, or take it back."""
    return await service.lease(plane, body)


@router.get(OF_PROJECT)
async def list_budgets(_: BudgetReader, plane: ThePlane, project: ProjectRef, page: AskedPage) -> Page[BudgetView]:
    """The project's budgets."""
    views, token = await service.list_budgets(plane, project, page)
    return Page(items=views, next_page_token=token)


@router.get(OF_PROJECT + "/{budget}")
async def get_budget(
    _: BudgetReader, plane: ThePlane, project: ProjectRef, budget: str, response: Response
) -> BudgetView:
    """One budget: spent, set aside and left this month."""
    return _answer(response, await service.get_budget(plane, project, budget))


@router.post(OF_PROJECT, status_code=201)
async def create_budget(
    subject: BudgetWriter, plane: ThePlane, project: ProjectRef, body: BudgetCreate, response: Response
) -> BudgetView:
    """Make a budget; it counts from now on. One that could never match is refused."""
    return _answer(response, await service.create_budget(plane, subject, project, body))


@router.patch(OF_PROJECT + "/{budget}")
async def patch_budget(
    subject: BudgetWriter,
    plane: ThePlane,
    project: ProjectRef,
    budget: str,
    body: BudgetPatch,
    response: Response,
    if_match: IfMatch,
) -> BudgetView:
    """Change a budget."""
    return _answer(response, await service.patch_budget(plane, subject, project, budget, body, if_match))


@router.delete(OF_PROJECT + "/{budget}", status_code=204)
async def delete_budget(
    subject: BudgetWriter, plane: ThePlane, project: ProjectRef, budget: str, if_match: IfMatch
) -> None:
    """Remove a budget."""
    await service.delete_budget(plane, subject, project, budget, if_match)


@router.get(OF_ORGANIZATION)
async def list_organization_budgets(_: BudgetReader, plane: ThePlane, page: AskedPage) -> Page[BudgetView]:
    """The organization's budgets."""
    views, token = await service.list_budgets(plane, None, page)
    return Page(items=views, next_page_token=token)


@router.get(OF_ORGANIZATION + "/{budget}")
async def get_organization_budget(_: BudgetReader, plane: ThePlane, budget: str, response: Response) -> BudgetView:
    """One budget of the organization."""
    return _answer(response, await service.get_budget(plane, None, budget))


@router.post(OF_ORGANIZATION, status_code=201)
async def create_organization_budget(
    subject: BudgetWriter, plane: ThePlane, body: BudgetCreate, response: Response
) -> BudgetView:
    """Make a budget over all projects together."""
    return _answer(response, await service.create_budget(plane, subject, None, body))


@router.patch(OF_ORGANIZATION + "/{budget}")
async def patch_organization_budget(
    subject: BudgetWriter, plane: ThePlane, budget: str, body: BudgetPatch, response: Response, if_match: IfMatch
) -> BudgetView:
    """Change a budget of the organization."""
    return _answer(response, await service.patch_budget(plane, subject, None, budget, body, if_match))


@router.delete(OF_ORGANIZATION + "/{budget}", status_code=204)
async def delete_organization_budget(subject: BudgetWriter, plane: ThePlane, budget: str, if_match: IfMatch) -> None:
    """Remove a budget of the organization."""
    await service.delete_budget(plane, subject, None, budget, if_match)
