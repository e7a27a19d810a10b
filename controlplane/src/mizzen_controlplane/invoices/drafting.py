"""How is a month's invoice made? From the roll-ups, at the prices the requests were priced with, or as corrected."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime

from mizzen_crds.periods import Period
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.budgets.months import named_month
from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.invoices import repository
from mizzen_controlplane.invoices.document import Document, Payer, charged_lines, document_of
from mizzen_controlplane.invoices.lines import Line, UsedAtPrice, invoice_lines, version_of
from mizzen_controlplane.invoices.models import BillingProfile, Invoice
from mizzen_controlplane.invoices.rerating import PriceHistory, UsedAt, rerated
from mizzen_controlplane.invoices.settling import agreed_lines, left_to_charge, tax_line
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.metering.meters import METERS, Sums
from mizzen_controlplane.metering.repository import rollups_between, sums_between
from mizzen_controlplane.pricing.repository import all_rate_cards, versions_by_id, versions_of

VOID = "void"
SAID = tuple(field.name for field in fields(Payer))
"""Columns of a billing profile that an invoice takes up."""


async def draft_of(
    session: AsyncSession, plane: Plane, owner: Project, month: str, rows: Sequence[Invoice], zone: str
) -> Document:
    """What the month's invoice would be now. `rows` are all of the project's.

    Months before it whose invoices stand are looked at again: what reached the ledger since is on this one.
    """
    standing = [row for row in rows if row.state != VOID]
    final = [document_of(row.document) for row in standing if row.document is not None]
    own = next((row for row in standing if row.month == month), None)
    period = named_month(month, zone)
    rated = await _rated(session, plane, owner, period, own.rated_as_of if own else None)
    earlier_charged = charged_lines(final, month)
    lines = left_to_charge(rated, earlier_charged, month, plane.currency) if earlier_charged else rated
    lines = [line if line.adjusts != month else _own(line) for line in lines]
    for row in standing:
        if row.document is not None and row.month < month:
            again = await _rated(session, plane, owner, named_month(row.month, zone), row.rated_as_of)
            lines += left_to_charge(again, charged_lines(final, row.month), row.month, plane.currency)
    payer = await payer_of(session, plane, owner.id)
    lines += agreed_lines(lines, payer, month, plane.currency)
    lines += tax_line(lines, payer, plane.currency)
    return Document(owner.id, owner.name, month, period, plane.currency, payer, tuple(lines))


async def payer_of(session: AsyncSession, plane: Plane, project_id: str) -> Payer:
    """What the project's profile says, and where it says nothing the organization's."""
    profiles = await repository.profiles_of(session, [plane.organization_id, project_id])
    found: dict[str, object] = {}
    for parent_id in (plane.organization_id, project_id):
        profile = profiles.get(parent_id)
        found |= _said(profile) if profile is not None else {}
    return Payer(**found)  # type: ignore[arg-type]  # names and types are those of the columns


def _said(profile: BillingProfile) -> dict[str, object]:
    return {name: getattr(profile, name) for name in SAID if getattr(profile, name) is not None}


def _own(line: Line) -> Line:
    return Line(
        line.model, line.kind, line.count, line.unit, line.unit_price, line.amount, line.rate_card_version, adjusts=""
    )


async def _rated(
    session: AsyncSession, plane: Plane, owner: Project, period: Period, as_of: datetime | None
) -> list[Line]:
    used = await (_used(session, owner.id, period) if as_of is None else _corrected(session, owner.id, period, as_of))
    versions = await versions_by_id(session, {version_of(item.rate_card_id) for item in used})
    return invoice_lines(used, versions, plane.currency)


async def _used(session: AsyncSession, project_id: str, period: Period) -> list[UsedAtPrice]:
    rows = await sums_between(session, project_id, period.start, period.end, ["model", "rate_card_id", "billed"])
    return [UsedAtPrice(model, card, bool(billed), Sums(*map(int, sums))) for model, card, billed, *sums in rows]


async def _corrected(session: AsyncSession, project_id: str, period: Period, as_of: datetime) -> list[UsedAtPrice]:
    cards = await all_rate_cards(session)
    history = PriceHistory(cards, await versions_of(session, [card.id for card in cards]), project_id, as_of)
    columns = ["model", "rate_card_id", "billed", "status_class"]
    rows = await rollups_between(session, project_id, period.start, period.end, columns)
    assert not rows or len(rows[0]) == 1 + len(columns) + len(METERS)
    usage = (
        UsedAt(quarter, UsedAtPrice(model, card, bool(billed), Sums(*map(int, sums))), status == 2)
        for quarter, model, card, billed, status, *sums in rows
    )
    return list(rerated(usage, history))
