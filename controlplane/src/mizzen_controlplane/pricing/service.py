"""Rules of prices: a version never changes, a model has one price for all and one for each project."""

from collections.abc import Sequence
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.changes import next_access_version
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import flush_or, reading, unit_of_work
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.pages import PageQuery, page_of
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, NotFound, invalid_field
from mizzen_controlplane.pricing import repository
from mizzen_controlplane.pricing.meter_prices import kept_prices
from mizzen_controlplane.pricing.models import BATCH, TIERS, RateCard, RateCardVersion
from mizzen_controlplane.pricing.schemas import ModelPrice, RateCardWrite
from mizzen_controlplane.pricing.tier_texts import kept_tiers

Newest = tuple[RateCard, RateCardVersion]
"""A card and its newest version."""


async def list_rate_cards(plane: Plane, page: PageQuery) -> tuple[list[Newest], str]:
    """One page of rate cards."""
    async with reading(plane.database) as session:
        cards, token = await page_of(
            session, repository.rate_cards(), page, repository.PAGE_FIELDS, plane.secrets.page_key, scope="rate cards"
        )
        return await _with_newest(session, cards), token


async def get_rate_card(plane: Plane, rate_card: str) -> Newest:
    """One rate card; raises NotFound."""
    async with reading(plane.database) as session:
        return (await _with_newest(session, [_found(await _find(session, rate_card), rate_card)]))[0]


async def list_versions(plane: Plane, rate_card: str) -> Sequence[RateCardVersion]:
    """Every version of a rate card, by date in force."""
    async with reading(plane.database) as session:
        card = _found(await _find(session, rate_card), rate_card)
        return await repository.versions_of(session, [card.id])


async def write_rate_card(plane: Plane, subject: Subject, body: RateCardWrite) -> Newest:
    """Make a rate card, or the next version of the one of that name."""
    prices = [_pico(index, price) for index, price in enumerate(body.prices)]
    _no_model_twice(body.prices)
    async with unit_of_work(plane.database) as session:
        project_id = (await project_or_404(session, plane, body.project)).id if body.project is not None else None
        await next_access_version(session)  # the lock also keeps two writers from pricing one model twice
        card = await repository.find_rate_card(session, body.name, lock=True)
        if card is None:
            card = RateCard(id=new_id("rc"), name=body.name, labels=body.labels, project_id=project_id)
            session.add(card)
            await flush_or(session, Conflict(f"A rate card named {body.name!r} was made at this moment. Repeat."))
        else:
            _same_project(card, project_id)
            card.touch()
        await _priced_once(session, card, body.prices)
        now = utc_now()
        version = RateCardVersion(
            id=new_id("rcv"),
            rate_card_id=card.id,
            effective_from=body.effective_from or now,
            created_at=now,
            prices=prices,
        )
        session.add(version)
        record(
            session, subject, "rate_cards.write", card.id, name=card.name, project_id=project_id or "",
            after={"version": version.id, "effective_from": version.effective_from.isoformat(), "prices": prices},
        )  # fmt: skip
        return card, version


async def _find(session: AsyncSession, rate_card: str) -> RateCard | None:
    return await repository.find_rate_card(session, rate_card)


async def _with_newest(session: AsyncSession, cards: Sequence[RateCard]) -> list[Newest]:
    versions = await repository.versions_of(session, [card.id for card in cards])
    newest = {version.rate_card_id: version for version in versions}
    return [(card, newest[card.id]) for card in cards]


def _pico(index: int, price: ModelPrice) -> dict[str, Any]:
    place = f"prices[{index}]"
    kept: dict[str, Any] = {
        "model": price.model,
        **kept_prices(place, price.model_dump(exclude={"model", "batch", TIERS})),
    }
    if price.tiers:
        kept[TIERS] = kept_tiers(index, price.tiers, kept)
    if price.batch is not None:
        kept[BATCH] = kept_prices(f"{place}.batch", price.batch.model_dump())
    return kept


def _no_model_twice(prices: Sequence[ModelPrice]) -> None:
    seen: set[str] = set()
    for index, price in enumerate(prices):
        if price.model in seen:
            raise invalid_field(
                f"/prices/{index}/model",
                f"prices[{index}].model: {price.model!r} has a price already; keep one of them",
            )
        seen.add(price.model)


def _same_project(card: RateCard, project_id: str | None) -> None:
    if card.project_id != project_id:
        belongs = f"project {card.project_id}" if card.project_id else "all projects"
        raise invalid_field(
            "/project", f"Rate card {card.name!r} is for {belongs}, which cannot change: choose another name"
        )


async def _priced_once(session: AsyncSession, card: RateCard, prices: Sequence[ModelPrice]) -> None:
    """Refuse a model that another card of the same reach prices: which of them holds would be a matter of luck."""
    others = [
        other
        for other in await repository.all_rate_cards(session)
        if other.id != card.id and other.project_id == card.project_id
    ]
    named = {price.model for price in prices}
    for other, version in await _with_newest(session, others):
        for taken in sorted(named & {price["model"] for price in version.prices}):
            raise Conflict(
                f"Rate card {other.name!r} has a price for {taken!r} already: write its next version instead.",
                code="model_priced_already",
            )


def _found(row: RateCard | None, asked: str) -> RateCard:
    if row is None:
        raise NotFound(f"There is no rate card {asked[:64]!r}.", code="rate_card_not_found")
    return row
