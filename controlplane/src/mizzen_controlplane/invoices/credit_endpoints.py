"""Routes of a project's credits."""

from typing import Annotated

from fastapi import Depends

from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.invoices import credits as rules
from mizzen_controlplane.invoices.schemas import CreditView, CreditWrite
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.pages import Page
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.kit.wire import resource_fields
from mizzen_controlplane.pricing.money import round_to_minor

router = api_router("invoices")
InvoiceReader = Annotated[Subject, Depends(Allow(Permission.INVOICES_READ))]
InvoiceWriter = Annotated[Subject, Depends(Allow(Permission.INVOICES_WRITE))]
PATH = "/api/v1/projects/{project}/credits"


@router.get(PATH)
async def list_credits(_: InvoiceReader, plane: ThePlane, project: ProjectRef) -> Page[CreditView]:
    """The project's credits, oldest first, with what is left of each."""
    return Page(items=[_view(found) for found in await rules.list_credits(plane, project)])


@router.post(PATH, status_code=201)
async def create_credit(subject: InvoiceWriter, plane: ThePlane, project: ProjectRef, body: CreditWrite) -> CreditView:
    """Give the project a credit, which its invoices draw as they are finalized."""
    return _view(await rules.create_credit(plane, subject, project, body))


def _view(found: rules.WithLeft) -> CreditView:
    credit, left = found
    return CreditView.model_validate(
        resource_fields(credit)
        | {
            "project_id": credit.project_id,
            "amount": str(round_to_minor(credit.amount_pico, credit.currency)),
            "left": str(round_to_minor(left, credit.currency)),
            "currency": credit.currency,
            "priority": credit.priority,
            "expires_at": credit.expires_at,
            "reason": credit.reason,
        }
    )
