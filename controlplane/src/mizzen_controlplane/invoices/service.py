"""How is an invoice made? From the ledger's roll-ups of a month, with the prices that the requests were priced with."""

from dataclasses import dataclass
from datetime import datetime

from mizzen_crds.periods import Period, month_of
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.budgets.months import month_name, named_month
from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.identity.repository import organization
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.invoices.lines import Line, UsedAtPrice, invoice_lines, version_of
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading_one_moment
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import invalid_field
from mizzen_controlplane.metering.meters import Sums
from mizzen_controlplane.metering.repository import first_quarter, rollups_between
from mizzen_controlplane.pricing.repository import versions_by_id


@dataclass(frozen=True, slots=True)
class Invoice:
    """A project's month."""

    project: Project
    month: str
    period: Period
    currency: str
    lines: list[Line]


async def invoices_of(plane: Plane, project: str) -> list[Invoice]:
    """Every month since the project first used anything, newest first; the month under way is always there."""
    async with reading_one_moment(plane.database) as session:
        owner = await project_or_404(session, plane, project)
        zone = (await organization(session, plane.organization_id)).time_zone
        first = await first_quarter(session, owner.id)
        months = _months(first or utc_now(), utc_now(), zone)
        return [await _draft(session, plane, owner, period, zone) for period in reversed(months)]


async def invoice_of(plane: Plane, project: str, month: str) -> Invoice:
    """One month; raises Invalid for what is no month."""
    async with reading_one_moment(plane.database) as session:
        owner = await project_or_404(session, plane, project)
        zone = (await organization(session, plane.organization_id)).time_zone
        try:
            period = named_month(month, zone)
        except ValueError as error:
            raise invalid_field("path:month", str(error)) from error
        return await _draft(session, plane, owner, period, zone)


async def _draft(session: AsyncSession, plane: Plane, owner: Project, period: Period, zone: str) -> Invoice:
    columns = ["model", "rate_card_id", "billed"]
    rows = await rollups_between(session, owner.id, period.start, period.end, columns)
    used = [UsedAtPrice(model, card, bool(billed), Sums(*map(int, sums))) for _, model, card, billed, *sums in rows]
    versions = await versions_by_id(session, {version_of(item.rate_card_id) for item in used})
    lines = invoice_lines(used, versions, plane.currency)
    return Invoice(owner, month_name(period, zone), period, plane.currency, lines)


def _months(first: datetime, last: datetime, zone: str) -> list[Period]:
    months = [month_of(first, zone)]
    while months[-1].end <= last:
        months.append(month_of(months[-1].end, zone))
    return months
