"""Rules of reading the ledger: ranges are bounded, times default to the month under way."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mizzen_crds.periods import month_of
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.identity.repository import keys_of, organization
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading
from mizzen_controlplane.kit.pages import PageQuery, page_of
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import invalid_field
from mizzen_controlplane.metering import repository
from mizzen_controlplane.metering.models import LedgerEntry
from mizzen_controlplane.metering.usage import Bucket, UsageSum, in_buckets

LONGEST: Final = {
    Bucket.HOUR: timedelta(days=31),
    Bucket.DAY: timedelta(days=366),
    Bucket.MONTH: timedelta(days=366 * 3),
}
GROUPS: Final = {"model": "model", "key": "key_id", "operation": "operation"}


@dataclass(frozen=True, slots=True)
class UsageAsked:
    """What of a project's usage is asked for."""

    start: datetime | None
    end: datetime | None
    bucket: Bucket
    group_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UsageFound:
    """Usage, and the names of the keys in it."""

    start: datetime
    end: datetime
    sums: list[UsageSum]
    key_names: dict[str, str]


def groups_in(text: str) -> tuple[str, ...]:
    """The parameter group_by: model, key, operation, comma-separated; raises Invalid."""
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for name in names:
        if name not in GROUPS:
            raise invalid_field("query:group_by", f"{name[:32]!r} is not one of {', '.join(GROUPS)}")
    return names


async def usage_of(plane: Plane, project: str, asked: UsageAsked) -> UsageFound:
    """The project's usage; raises Invalid for a range that is too long or empty."""
    async with reading(plane.database) as session:
        owner = await project_or_404(session, plane, project)
        zone = (await organization(session, plane.organization_id)).time_zone
        now = utc_now()
        end = asked.end or now
        start = asked.start or month_of(end, zone).start
        _bounded(start, end, asked.bucket)
        columns = [GROUPS[name] for name in asked.group_by]
        rows = await repository.rollups_between(session, owner.id, start, end, columns)
        names = await _key_names(session, owner.id) if "key" in asked.group_by else {}
    return UsageFound(start, end, in_buckets(rows, asked.bucket, zone), names)


async def requests_of(plane: Plane, project: str, page: PageQuery) -> tuple[list[LedgerEntry], str]:
    """One page of the project's requests, newest first."""
    async with reading(plane.database) as session:
        owner = await project_or_404(session, plane, project)
        return await page_of(
            session,
            repository.entries_of(owner.id),
            page,
            repository.PAGE_FIELDS,
            plane.secrets.page_key,
            default_order="started_at desc",
            scope=f"requests {owner.id}",
        )


def _bounded(start: datetime, end: datetime, bucket: Bucket) -> None:
    if start.tzinfo is None or end.tzinfo is None:
        raise invalid_field("query:start", "start and end need a time zone, such as 2026-03-01T00:00:00Z")
    if start >= end:
        raise invalid_field("query:end", f"end ({end}) must be after start ({start})")
    if end - start > LONGEST[bucket]:
        raise invalid_field(
            "query:start",
            f"{(end - start).days} days by {bucket} are too many: ask for at most {LONGEST[bucket].days} days, "
            "or for a longer bucket",
        )


async def _key_names(session: AsyncSession, project_id: str) -> dict[str, str]:
    return {key.id: key.name for key in (await session.exec(keys_of(project_id))).all()}
