"""Routes of the ledger: its only entrance, for gateways; usage and requests, for people."""

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Query
from mizzen_crds.usage import UsageBatch, UsageReceipt

from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.pages import AskedPage, Page
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.metering import ledger, service
from mizzen_controlplane.metering.models import LedgerEntry
from mizzen_controlplane.metering.schemas import RequestView, UsageRow, UsageView
from mizzen_controlplane.metering.usage import Bucket, UsageSum
from mizzen_controlplane.pricing.money import amount_text

router = api_router("metering")

RequestReader = Annotated[Subject, Depends(Allow(Permission.REQUESTS_READ))]
UsageReader = Annotated[Subject, Depends(Allow(Permission.USAGE_READ))]


@router.post("/internal/v1/usage/events", dependencies=[Depends(Allow(Permission.USAGE_WRITE))])
async def take_events(plane: ThePlane, body: UsageBatch) -> UsageReceipt:
    """Take usage events, each exactly once; a batch may be sent again at any time."""
    return await ledger.take(plane, body.events)


@router.get("/api/v1/projects/{project}/usage")
async def get_usage(
    _: UsageReader,
    plane: ThePlane,
    project: ProjectRef,
    start: datetime | None = None,
    end: datetime | None = None,
    bucket: Bucket = Bucket.DAY,
    group_by: str = "",
    filter: Annotated[str, Query(max_length=2048)] = "",  # noqa: A002 - the name of the query parameter
    page_size: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
    page_token: Annotated[str, Query(max_length=2048)] = "",
) -> UsageView:
    """Requests, tokens and cost by time and group; from the begin of the month until now, where nothing is said.

    Hours, days and months are those of the organization's time zone. A `page_token` goes with the same `start` and
    `end`, written out.
    """
    groups = service.groups_in(group_by)
    asked = service.UsageAsked(start, end, bucket, groups, filter, page_size, page_token)
    found = await service.usage_of(plane, project, asked)
    items = [_row(item, groups, found.key_names, plane.currency) for item in found.sums]
    return UsageView(start=found.start, end=found.end, items=items, next_page_token=found.next_page_token)


@router.get("/api/v1/projects/{project}/requests")
async def list_requests(_: RequestReader, plane: ThePlane, project: ProjectRef, page: AskedPage) -> Page[RequestView]:
    """The project's requests, newest first: what is known of them, never their content."""
    rows, token = await service.requests_of(plane, project, page)
    return Page(items=[_request(row) for row in rows], next_page_token=token)


def _row(item: UsageSum, groups: tuple[str, ...], key_names: dict[str, str], currency: str) -> UsageRow:
    named = dict(zip(groups, item.group, strict=True))
    key_id, sums = named.get("key", ""), item.sums
    return UsageRow(
        bucket_start=item.bucket_start,
        model=named.get("model", ""),
        operation=named.get("operation", ""),
        status_class=int(named.get("status_class", 0)),
        rate_card_version=named.get("rate_card_version", ""),
        key=key_names.get(key_id, key_id),
        key_id=key_id,
        requests=sums.requests,
        input_tokens=sums.input_tokens,
        cached_tokens=sums.cached_tokens,
        output_tokens=sums.output_tokens,
        reasoning_tokens=sums.reasoning_tokens,
        accelerator_seconds=sums.accelerator_ms / 1000,
        response_cache_hits=sums.response_cache_hits,
        cost=amount_text(sums.cost_pico),
        currency=currency,
    )


def _request(row: LedgerEntry) -> RequestView:
    shown = row.model_dump(include=set(RequestView.model_fields))
    return RequestView.model_validate(
        shown
        | {
            "id": row.request_id,
            "cost": amount_text(row.cost_pico),
            "rate_card_version": row.rate_card_id,
            "accelerator_seconds": row.accelerator_ms / 1000,
            "response_cache_hit": row.response_cache_hits > 0,
        }
    )
