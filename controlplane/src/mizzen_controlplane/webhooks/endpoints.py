"""Routes of webhooks: a project's, and the organization's."""

from typing import Annotated

from fastapi import Depends, Path, Response

from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.etag import IfMatch
from mizzen_controlplane.kit.pages import AskedPage, Page
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.kit.wire import resource_fields, with_etag
from mizzen_controlplane.webhooks import service
from mizzen_controlplane.webhooks.models import Delivery, Webhook
from mizzen_controlplane.webhooks.schemas import (
    DeliveryState,
    DeliveryView,
    WebhookCreate,
    WebhookPatch,
    WebhookSecretView,
    WebhookView,
)

router = api_router("webhooks")

WebhookReader = Annotated[Subject, Depends(Allow(Permission.WEBHOOKS_READ))]
WebhookWriter = Annotated[Subject, Depends(Allow(Permission.WEBHOOKS_WRITE))]
WebhookRef = Annotated[str, Path(max_length=64, description="Id or name of the webhook.")]
DeliveryRef = Annotated[str, Path(max_length=64, description="Id of the delivery.")]
OF_PROJECT = "/api/v1/projects/{project}/webhooks"
OF_ORGANIZATION = "/api/v1/webhooks"
_OWN = {"project_id", "url", "event_types", "enabled"}


def _view(row: Webhook) -> WebhookView:
    return WebhookView.model_validate(row.model_dump(include=_OWN) | resource_fields(row))


def _answer(response: Response, row: Webhook) -> WebhookView:
    with_etag(response, row)
    return _view(row)


def _with_secret(response: Response, made: tuple[Webhook, str]) -> WebhookSecretView:
    row, secret = made
    return WebhookSecretView(**_answer(response, row).model_dump(), secret=secret)


def _delivery(row: Delivery) -> DeliveryView:
    waits = row.not_before if row.state == DeliveryState.PENDING else None
    return DeliveryView.model_validate(row.model_dump() | {"next_attempt_at": waits})


@router.get(OF_PROJECT)
async def list_webhooks(_: WebhookReader, plane: ThePlane, project: ProjectRef, page: AskedPage) -> Page[WebhookView]:
    """The project's webhooks."""
    rows, token = await service.list_webhooks(plane, project, page)
    return Page(items=[_view(row) for row in rows], next_page_token=token)


@router.get(OF_PROJECT + "/{webhook}")
async def get_webhook(
    _: WebhookReader, plane: ThePlane, project: ProjectRef, webhook: WebhookRef, response: Response
) -> WebhookView:
    """One webhook."""
    return _answer(response, await service.get_webhook(plane, project, webhook))


@router.post(OF_PROJECT, status_code=201)
async def create_webhook(
    subject: WebhookWriter, plane: ThePlane, project: ProjectRef, body: WebhookCreate, response: Response
) -> WebhookSecretView:
    """Have events sent to a URL, or by e-mail. The secret is shown this once."""
    return _with_secret(response, await service.create_webhook(plane, subject, project, body))


@router.patch(OF_PROJECT + "/{webhook}")
async def patch_webhook(
    subject: WebhookWriter,
    plane: ThePlane,
    project: ProjectRef,
    webhook: WebhookRef,
    body: WebhookPatch,
    response: Response,
    if_match: IfMatch,
) -> WebhookView:
    """Change a webhook."""
    return _answer(response, await service.patch_webhook(plane, subject, project, webhook, body, if_match))


@router.delete(OF_PROJECT + "/{webhook}", status_code=204)
async def delete_webhook(
    subject: WebhookWriter, plane: ThePlane, project: ProjectRef, webhook: WebhookRef, if_match: IfMatch
) -> None:
    """Remove a webhook and its deliveries."""
    await service.delete_webhook(plane, subject, project, webhook, if_match)


@router.post(OF_PROJECT + "/{webhook}:rotateSecret")
async def rotate_webhook_secret(
    subject: WebhookWriter,
    plane: ThePlane,
    project: ProjectRef,
    webhook: WebhookRef,
    response: Response,
    if_match: IfMatch,
) -> WebhookSecretView:
    """Make a new secret, shown this once; for 24 hours deliveries carry signatures of both."""
    return _with_secret(response, await service.rotate_secret(plane, subject, project, webhook, if_match))


@router.post(OF_PROJECT + "/{webhook}:test", status_code=202)
async def test_webhook(
    subject: WebhookWriter, plane: ThePlane, project: ProjectRef, webhook: WebhookRef
) -> DeliveryView:
    """Send a test event to this webhook; the delivery tells what became of it."""
    return _delivery(await service.send_test(plane, subject, project, webhook))


@router.get(OF_PROJECT + "/{webhook}/deliveries")
async def list_deliveries(
    _: WebhookReader, plane: ThePlane, project: ProjectRef, webhook: WebhookRef, page: AskedPage
) -> Page[DeliveryView]:
    """What was sent and what waits, newest first; `filter=state=DEAD` lists the dead letters."""
    rows, token = await service.list_deliveries(plane, project, webhook, page)
    return Page(items=[_delivery(row) for row in rows], next_page_token=token)


@router.post(OF_PROJECT + "/{webhook}/deliveries/{delivery}:redeliver", status_code=202)
async def redeliver(
    subject: WebhookWriter, plane: ThePlane, project: ProjectRef, webhook: WebhookRef, delivery: DeliveryRef
) -> DeliveryView:
    """Send a delivery again, now."""
    return _delivery(await service.redeliver(plane, subject, project, webhook, delivery))


@router.get(OF_ORGANIZATION)
async def list_organization_webhooks(_: WebhookReader, plane: ThePlane, page: AskedPage) -> Page[WebhookView]:
    """The organization's webhooks, which get the events of all projects."""
    rows, token = await service.list_webhooks(plane, None, page)
    return Page(items=[_view(row) for row in rows], next_page_token=token)


@router.get(OF_ORGANIZATION + "/{webhook}")
async def get_organization_webhook(
    _: WebhookReader, plane: ThePlane, webhook: WebhookRef, response: Response
) -> WebhookView:
    """One webhook of the organization."""
    return _answer(response, await service.get_webhook(plane, None, webhook))


@router.post(OF_ORGANIZATION, status_code=201)
async def create_organization_webhook(
    subject: WebhookWriter, plane: ThePlane, body: WebhookCreate, response: Response
) -> WebhookSecretView:
    """Have events of all projects sent to a URL, or by e-mail. The secret is shown this once."""
    return _with_secret(response, await service.create_webhook(plane, subject, None, body))


@router.patch(OF_ORGANIZATION + "/{webhook}")
async def patch_organization_webhook(
    subject: WebhookWriter,
    plane: ThePlane,
    webhook: WebhookRef,
    body: WebhookPatch,
    response: Response,
    if_match: IfMatch,
) -> WebhookView:
    """Change a webhook of the organization."""
    return _answer(response, await service.patch_webhook(plane, subject, None, webhook, body, if_match))


@router.delete(OF_ORGANIZATION + "/{webhook}", status_code=204)
async def delete_organization_webhook(
    subject: WebhookWriter, plane: ThePlane, webhook: WebhookRef, if_match: IfMatch
) -> None:
    """Remove a webhook of the organization and its deliveries."""
    await service.delete_webhook(plane, subject, None, webhook, if_match)


@router.post(OF_ORGANIZATION + "/{webhook}:rotateSecret")
async def rotate_organization_webhook_secret(
    subject: WebhookWriter, plane: ThePlane, webhook: WebhookRef, response: Response, if_match: IfMatch
) -> WebhookSecretView:
    """Make a new secret, shown this once; for 24 hours deliveries carry signatures of both."""
    return _with_secret(response, await service.rotate_secret(plane, subject, None, webhook, if_match))


@router.post(OF_ORGANIZATION + "/{webhook}:test", status_code=202)
async def test_organization_webhook(subject: WebhookWriter, plane: ThePlane, webhook: WebhookRef) -> DeliveryView:
    """Send a test event to this webhook; the delivery tells what became of it."""
    return _delivery(await service.send_test(plane, subject, None, webhook))


@router.get(OF_ORGANIZATION + "/{webhook}/deliveries")
async def list_organization_deliveries(
    _: WebhookReader, plane: ThePlane, webhook: WebhookRef, page: AskedPage
) -> Page[DeliveryView]:
    """What was sent and what waits, newest first; `filter=state=DEAD` lists the dead letters."""
    rows, token = await service.list_deliveries(plane, None, webhook, page)
    return Page(items=[_delivery(row) for row in rows], next_page_token=token)


@router.post(OF_ORGANIZATION + "/{webhook}/deliveries/{delivery}:redeliver", status_code=202)
async def redeliver_of_organization(
    subject: WebhookWriter, plane: ThePlane, webhook: WebhookRef, delivery: DeliveryRef
) -> DeliveryView:
    """Send a delivery again, now."""
    return _delivery(await service.redeliver(plane, subject, None, webhook, delivery))
