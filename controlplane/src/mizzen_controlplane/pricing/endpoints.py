"""Routes of rate cards."""

from typing import Annotated, Any

from fastapi import Depends, Response

from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.pages import AskedPage, Page
from mizzen_controlplane.kit.plane import Plane, ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.kit.wire import resource_fields, with_etag
from mizzen_controlplane.pricing import service
from mizzen_controlplane.pricing.meter_prices import written_prices
from mizzen_controlplane.pricing.models import BATCH, TIERS, RateCardVersion
from mizzen_controlplane.pricing.schemas import BatchPrice, ModelPrice, RateCardVersionView, RateCardView, RateCardWrite
from mizzen_controlplane.pricing.tier_texts import written_tiers

router = api_router("pricing")

PriceReader = Annotated[Subject, Depends(Allow(Permission.PRICES_READ))]
PriceWriter = Annotated[Subject, Depends(Allow(Permission.PRICES_WRITE))]


@router.get("/api/v1/rate-cards")
async def list_rate_cards(_: PriceReader, plane: ThePlane, page: AskedPage) -> Page[RateCardView]:
    """Rate cards, each with its newest version."""
    rows, token = await service.list_rate_cards(plane, page)
    return Page(items=[_view(plane, row) for row in rows], next_page_token=token)


@router.get("/api/v1/rate-cards/{rate_card}")
async def get_rate_card(_: PriceReader, plane: ThePlane, rate_card: str, response: Response) -> RateCardView:
    """One rate card with its newest version."""
    row = await service.get_rate_card(plane, rate_card)
    with_etag(response, row[0])
    return _view(plane, row)


@router.get("/api/v1/rate-cards/{rate_card}/versions")
async def list_rate_card_versions(_: PriceReader, plane: ThePlane, rate_card: str) -> Page[RateCardVersionView]:
    """Every version of a rate card, by date in force."""
    versions = await service.list_versions(plane, rate_card)
    return Page(
        items=[
            RateCardVersionView(
                id=version.id,
                effective_from=version.effective_from,
                created_at=version.created_at,
                prices=_prices(version),
            )
            for version in versions
        ]
    )


@router.post("/api/v1/rate-cards", status_code=201)
async def write_rate_card(
    subject: PriceWriter, plane: ThePlane, body: RateCardWrite, response: Response
) -> RateCardView:
    """Make a rate card, or the next version of the one of that name."""
    row = await service.write_rate_card(plane, subject, body)
    with_etag(response, row[0])
    return _view(plane, row)


def _view(plane: Plane, newest: service.Newest) -> RateCardView:
    card, version = newest
    return RateCardView.model_validate(
        resource_fields(card)
        | {
            "project_id": card.project_id or "",
            "currency": plane.currency,
            "version_id": version.id,
            "effective_from": version.effective_from,
            "prices": _prices(version),
        }
    )


def _prices(version: RateCardVersion) -> list[ModelPrice]:
    return [_price(price) for price in version.prices]


def _price(price: dict[str, Any]) -> ModelPrice:
    batch = BatchPrice.model_validate(dict(written_prices(price[BATCH]))) if BATCH in price else None
    tiers = written_tiers(price.get(TIERS, ()))
    return ModelPrice(model=price["model"], batch=batch, tiers=tiers, **dict(written_prices(price)))
