"""SQL of rate cards and their versions."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from mizzen_controlplane.pricing.models import RateCard, RateCardVersion

PAGE_FIELDS = {
    "id": col(RateCard.id),
    "name": col(RateCard.name),
    "created_at": col(RateCard.created_at),
    "project_id": col(RateCard.project_id),
}


def rate_cards() -> SelectOfScalar[RateCard]:
    """All rate cards, for a page."""
    return select(RateCard)


async def find_rate_card(session: AsyncSession, id_or_name: str, *, lock: bool = False) -> RateCard | None:
    """A rate card by id or name."""
    statement = select(RateCard).where(or_(RateCard.id == id_or_name, RateCard.name == id_or_name))
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


async def all_rate_cards(session: AsyncSession) -> Sequence[RateCard]:
    """Every rate card, oldest first."""
    return (await session.exec(select(RateCard).order_by(col(RateCard.id)))).all()


async def versions_of(session: AsyncSession, rate_card_ids: Iterable[str]) -> Sequence[RateCardVersion]:
    """Every version of the cards: by date in force, then by when it was written."""
    statement = (
        select(RateCardVersion)
        .where(col(RateCardVersion.rate_card_id).in_(list(rate_card_ids)))
        .order_by(col(RateCardVersion.effective_from), col(RateCardVersion.id))
    )
    return (await session.exec(statement)).all()


async def versions_by_id(session: AsyncSession, version_ids: Iterable[str]) -> dict[str, RateCardVersion]:
    """Versions by id."""
    statement = select(RateCardVersion).where(col(RateCardVersion.id).in_(list(version_ids)))
    return {row.id: row for row in (await session.exec(statement)).all()}


async def next_effective(session: AsyncSession, now: datetime) -> datetime | None:
    """When the next version comes into force."""
    statement = (
        select(RateCardVersion.effective_from)
        .where(RateCardVersion.effective_from > now)
        .order_by(col(RateCardVersion.effective_from))
        .limit(1)
    )
    return (await session.exec(statement)).one_or_none()
