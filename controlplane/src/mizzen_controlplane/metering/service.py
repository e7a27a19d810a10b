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
from mizzen_controlplane.kit.pages import PageQuery, conditions, page_of, page_of_names
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import invalid_field
from mizzen_controlplane.metering import repository
from mizzen_controlplane.metering.models import LedgerEntry
from mizzen_controlplane.metering.usage import Bucket, UsageSum, buckets_between, usage_sum

LONGEST: Final = {
    Bucket.QUARTER: timedelta(days=7),
    Bucket.HOUR: timedelta(days=31),
    Bucket.DAY: timedelta(days=366),
    Bucket.MONTH: timedelta(days=366 * 3),
}
GROUPS: Final = {
    "model": "model",
    "key": "key_id",
    "operation": "operation",
    "status_class": "status_class",
    "rate_card_version": "rate_card_id",
}
NOT_ADDED_UP: Final = frozenset({"revision", "deployment", "gateway"})
"""Of single requests alone."""


@dataclass(frozen=True, slots=True)
class UsageAsked:
    """What of a project's usage is asked for."""

    start: datetime | None
    end: datetime | None
    bucket: Bucket
    group_by: tuple[str, ...]
    filter: str = ""
    page_size: int = 10_000
    page_token: str = ""


@dataclass(frozen=True, slots=True)
class UsageFound:
    """Usage, and the names of the keys in it."""

    start: datetime
    end: datetime
    sums: list[UsageSum]
    key_names: dict[str, str]
    next_page_token: str = ""


def groups_in(text: str) -> tuple[str, ...]:
    """The parameter group_by, names of `GROUPS`, comma-separated; raises Invalid."""
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for name in names:
        if name in NOT_ADDED_UP:
            raise invalid_field(
                "query:group_by",
                f"{name} is known of single requests alone, which the list of the project's requests has",
            )
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
        buckets = buckets_between(start, end, asked.bucket, zone)
        shown = [(max(begins, start), min(ends, end)) for begins, ends in buckets]
        chosen = conditions(asked.filter, repository.USAGE_FIELDS)
        rows = await repository.sums_in_buckets(session, owner.id, shown, columns, chosen)
        names = await _key_names(session, owner.id) if "key" in asked.group_by else {}
    begins = {cut[0]: whole[0] for cut, whole in zip(shown, buckets, strict=True)}
    found = [usage_sum((begins[row[0]], *row[1:])) for row in rows]
    page, token = _page(plane, asked, f"usage {owner.id} {start} {end}", found)
    return UsageFound(start, end, page, names, token)


def _page(plane: Plane, asked: UsageAsked, scope: str, found: list[UsageSum]) -> tuple[list[UsageSum], str]:
    """By bucket and group; the token goes with the same question alone, so `end` has to be said."""
    by_name = {"\0".join([item.bucket_start.isoformat(), *item.group]): item for item in found}
    names = sorted(by_name)
    purpose = f"{scope} {asked.bucket} {asked.group_by} {asked.filter}"
    query = PageQuery(asked.page_size, asked.page_token, "", "")
    page, token = page_of_names([{"name": name} for name in names], names, query, plane.secrets.page_key, scope=purpose)
    return [by_name[str(row["name"])] for row in page], token


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
