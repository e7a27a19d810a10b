"""Rules of reading invoices: a month is gathering, then a draft that the ledger makes, then what was finalized."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from mizzen_crds.periods import Period, month_of
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.budgets.months import month_name, named_month
from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.identity.repository import organization
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.invoices import repository
from mizzen_controlplane.invoices.document import Document, document_of
from mizzen_controlplane.invoices.drafting import VOID, draft_of
from mizzen_controlplane.invoices.models import Invoice
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading, reading_one_moment
from mizzen_controlplane.kit.etag import etag_of
from mizzen_controlplane.kit.pages import PageQuery, page_of
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import NotFound, invalid_field
from mizzen_controlplane.metering.repository import first_quarter
from mizzen_controlplane.pricing.money import PICO_DIGITS

INVOICES, CREDIT_NOTES = "INV-", "CRN-"
"""Series of numbers, each without a gap."""
_MONTH_OF_ID = re.compile(r"_([0-9]{4}-[0-9]{2})(?:_[0-9]+)?$")
GATHERING, DRAFT, FINALIZED, PAID = "gathering", "draft", "finalized", "paid"


@dataclass(frozen=True, slots=True)
class Told:
    """An invoice as it is told."""

    id: str
    state: str
    document: Document
    etag: str
    row: Invoice | None = None
    credited_pico: int = 0
    drawn_pico: int = 0
    """Of credits."""

    @property
    def left_to_credit_pico(self) -> int:
        """What was, or is to be, paid in money."""
        return int(self.document.total.scaleb(PICO_DIGITS)) - self.credited_pico - self.drawn_pico

    @property
    def due_pico(self) -> int:
        """What is still to be paid."""
        return 0 if self.state in (PAID, VOID) else self.left_to_credit_pico

    @property
    def due_at(self) -> datetime | None:
        """Until when; None before it is final."""
        if self.row is None or self.row.finalized_at is None:
            return None
        return self.row.finalized_at + timedelta(days=self.document.payer.payment_days)


@dataclass(frozen=True, slots=True)
class Books:
    """All that is known of a project's invoices, in one transaction."""

    session: AsyncSession
    plane: Plane
    owner: Project
    rows: list[Invoice]
    zone: str

    def row_of(self, asked: str) -> Invoice | None:
        """The row of a month, an id or a number; of a month the one that stands, else None. Raises NotFound."""
        found = next((row for row in self.rows if asked in (row.id, row.number)), None)
        if found is not None:
            return found
        if asked.startswith(("inv_", INVOICES)) and self.month_of_id(asked) is None:
            raise NotFound(f"There is no invoice {asked[:64]!r} in this project.", code="invoice_not_found")
        return self.standing(self.month_of_id(asked) or asked)

    def standing(self, month: str) -> Invoice | None:
        """The month's row that is not void. Raises Invalid for what is no month."""
        self.period(month)
        return next((row for row in self.rows if row.month == month and row.state != VOID), None)

    def month_of_id(self, asked: str) -> str | None:
        """The month of a draft's id."""
        named = _MONTH_OF_ID.search(asked)
        return named[1] if named is not None and self.new_id(named[1]) == asked else None

    def period(self, month: str) -> Period:
        """Raises Invalid for what is no month."""
        try:
            return named_month(month, self.zone)
        except ValueError as error:
            raise invalid_field("path:invoice", f"{error}; or write an invoice's id or number") from error

    def new_id(self, month: str) -> str:
        """Of the invoice that stands for a month, or would."""
        edition = self.next_edition(month)
        return f"inv_{self.owner.id.removeprefix('prj_')}_{month}" + (f"_{edition}" if edition > 1 else "")

    def next_edition(self, month: str) -> int:
        """1, and one more for each void one."""
        return 1 + sum(row.month == month and row.state == VOID for row in self.rows)

    async def told(self, asked: str) -> Told:
        """One invoice, by month, id or number."""
        row = self.row_of(asked)
        if row is not None and row.document is not None:
            return (await told_rows(self.session, [row]))[0]
        return await self.draft(row.month if row else self.month_of_id(asked) or asked, row)

    async def draft(self, month: str, row: Invoice | None) -> Told:
        """The month as the ledger has it; its ETag says all that is on it."""
        document = await draft_of(self.session, self.plane, self.owner, month, self.rows, self.zone)
        state = DRAFT if document.period.end <= utc_now() else GATHERING
        found = row.id if row else self.new_id(month)
        return Told(found, state, document, f'"{found}.{document.digest[:20]}"', row)


async def books_of(session: AsyncSession, plane: Plane, project: str, *, lock: bool = False) -> Books:
    """The project's; `lock` has its invoices change one after the other. Raises NotFound."""
    owner = await project_or_404(session, plane, project, lock=lock, even_archived=True)
    zone = (await organization(session, plane.organization_id)).time_zone
    return Books(session, plane, owner, list(await repository.invoices_of_project(session, owner.id)), zone)


async def told_rows(session: AsyncSession, rows: list[Invoice]) -> list[Told]:
    """Final ones, with what was credited."""
    ids = [row.id for row in rows]
    credited, drawn = await repository.credited_pico(session, ids), await repository.drawn_by_invoices(session, ids)
    return [
        Told(
            row.id, row.state, document_of(row.document or ""), etag_of(row), row,
            credited.get(row.id, 0), drawn.get(row.id, 0),
        )
        for row in rows
    ]  # fmt: skip


async def invoices_of(plane: Plane, project: str) -> list[Told]:
    """Every month since the project first used anything, newest first; the month under way is always there."""
    async with reading_one_moment(plane.database) as session:
        books = await books_of(session, plane, project)
        first = await first_quarter(session, books.owner.id)
        final = await told_rows(session, [row for row in books.rows if row.document is not None])
        standing = {told.document.month for told in final if told.state != VOID}
        open_months = [name for name in _months(first or utc_now(), utc_now(), books.zone) if name not in standing]
        drafts = [await books.draft(name, books.standing(name)) for name in open_months]
        return sorted(drafts + final, key=lambda told: (told.document.month, told.id), reverse=True)


async def invoice_of(plane: Plane, project: str, asked: str) -> Told:
    """One, by month, id or number; raises Invalid for what is none of them, NotFound."""
    async with reading_one_moment(plane.database) as session:
        return await (await books_of(session, plane, project)).told(asked)


async def numbered_page(plane: Plane, page: PageQuery) -> tuple[list[Told], str]:
    """One page of the organization's invoices that have a number."""
    async with reading(plane.database) as session:
        rows, token = await page_of(
            session, repository.numbered_invoices(plane.organization_id), page, repository.PAGE_FIELDS,
            plane.secrets.page_key, default_order="id desc", scope="invoices",
        )  # fmt: skip
        return await told_rows(session, rows), token


def _months(first: datetime, last: datetime, zone: str) -> list[str]:
    months = [month_of(first, zone)]
    while months[-1].end <= last:
        months.append(month_of(months[-1].end, zone))
    return [month_name(period, zone) for period in months]
