"""What is in an export of a project's month? Its roll-ups, by the days of the organization's time zone."""

from datetime import datetime
from typing import Any

from mizzen_crds.periods import Period, month_of
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.budgets.months import month_name, named_month
from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.identity.repository import organization
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.invoices.drafting import VOID, payer_of
from mizzen_controlplane.invoices.focus import Account, UsedOn, focus_csv
from mizzen_controlplane.invoices.lines import UsedAtPrice, version_of
from mizzen_controlplane.invoices.repository import invoices_of_project
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading_one_moment
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import invalid_field
from mizzen_controlplane.metering.meters import Sums
from mizzen_controlplane.metering.repository import sums_in_buckets
from mizzen_controlplane.metering.usage import Bucket, buckets_between
from mizzen_controlplane.pricing.repository import versions_by_id

COLUMNS = ["key_id", "operation", "model", "rate_card_id", "billed"]


async def focus_of(plane: Plane, project: str, month: str) -> str:
    """CSV of FOCUS 1.2; raises NotFound, and Invalid for what is no month."""
    async with reading_one_moment(plane.database) as session:
        owner = await project_or_404(session, plane, project)
        company = await organization(session, plane.organization_id)
        period = _period(month, company.time_zone)
        days = buckets_between(period.start, period.end, Bucket.DAY, company.time_zone)
        rows = await sums_in_buckets(session, owner.id, days, COLUMNS)
        ends = dict(days)
        usage = [_used_on(ends, row) for row in rows]
        versions = await versions_by_id(session, {version_of(item.used.rate_card_id) for item in usage})
        payer = await payer_of(session, plane, owner.id)
        number = await _number(session, owner, month_name(period, company.time_zone))
        account = Account(
            company.id, company.name, owner.id, owner.name, plane.currency, period,
            payer.seller.partition("\n")[0] or company.name, number,
        )  # fmt: skip
    return focus_csv(account, usage, versions)


def _period(month: str, zone: str) -> Period:
    if not month:
        return month_of(utc_now(), zone)
    try:
        return named_month(month, zone)
    except ValueError as error:
        raise invalid_field("query:month", str(error)) from error


def _used_on(ends: dict[datetime, datetime], row: tuple[Any, ...]) -> UsedOn:
    begins, key_id, operation, model, card, billed, *sums = row
    used = UsedAtPrice(model, card, bool(billed), Sums(*map(int, sums)))
    return UsedOn(Period(begins, ends[begins]), key_id, operation, used)


async def _number(session: AsyncSession, owner: Project, month: str) -> str:
    """Of the month's invoice that stands, where it is final."""
    rows = await invoices_of_project(session, owner.id)
    return next((row.number or "" for row in rows if row.month == month and row.state != VOID), "")
