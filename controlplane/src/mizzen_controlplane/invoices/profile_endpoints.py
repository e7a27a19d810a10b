"""Routes of billing profiles: the organization's, and a project's."""

from typing import Annotated

from fastapi import Depends, Response

from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.invoices import profiles
from mizzen_controlplane.invoices.models import BillingProfile
from mizzen_controlplane.invoices.schemas import BillingProfilePatch, BillingProfileView
from mizzen_controlplane.invoices.wire_views import profile_view
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.etag import IfMatch
from mizzen_controlplane.kit.plane import Plane, ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.kit.wire import with_etag

router = api_router("invoices")
InvoiceReader = Annotated[Subject, Depends(Allow(Permission.INVOICES_READ))]
InvoiceWriter = Annotated[Subject, Depends(Allow(Permission.INVOICES_WRITE))]
OF_ORGANIZATION = "/api/v1/billing-profile"
OF_PROJECT = "/api/v1/projects/{project}/billing-profile"


@router.get(OF_ORGANIZATION)
async def get_organization_billing_profile(_: InvoiceReader, plane: ThePlane, response: Response) -> BillingProfileView:
    """What all invoices say beside usage: tax, who sends them, who pays them, and until when."""
    return _answer(plane, response, await profiles.get_profile(plane, None))


@router.patch(OF_ORGANIZATION)
async def patch_organization_billing_profile(
    subject: InvoiceWriter, plane: ThePlane, body: BillingProfilePatch, response: Response, if_match: IfMatch
) -> BillingProfileView:
    """Change it; what is final stays as it is."""
    return _answer(plane, response, await profiles.patch_profile(plane, subject, None, body, if_match))


@router.get(OF_PROJECT)
async def get_billing_profile(
    _: InvoiceReader, plane: ThePlane, project: ProjectRef, response: Response
) -> BillingProfileView:
    """What the project's invoices say instead; null: as the organization's."""
    return _answer(plane, response, await profiles.get_profile(plane, project))


@router.patch(OF_PROJECT)
async def patch_billing_profile(
    subject: InvoiceWriter,
    plane: ThePlane,
    project: ProjectRef,
    body: BillingProfilePatch,
    response: Response,
    if_match: IfMatch,
) -> BillingProfileView:
    """Change it."""
    return _answer(plane, response, await profiles.patch_profile(plane, subject, project, body, if_match))


def _answer(plane: Plane, response: Response, profile: BillingProfile) -> BillingProfileView:
    with_etag(response, profile)
    return profile_view(profile, plane.organization_id)
