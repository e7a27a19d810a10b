"""Rules of what happens to an invoice: finalized once, with the next number; then paid or void; credit notes on it."""

from collections.abc import Mapping
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.invoices import repository
from mizzen_controlplane.invoices.credits import draw
from mizzen_controlplane.invoices.drafting import VOID
from mizzen_controlplane.invoices.models import CreditNote, Invoice
from mizzen_controlplane.invoices.service import (
    CREDIT_NOTES,
    DRAFT,
    FINALIZED,
    GATHERING,
    INVOICES,
    PAID,
    Books,
    Told,
    books_of,
    told_rows,
)
from mizzen_controlplane.invoices.whole_coins import whole_coins
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import flush_or, reading, unit_of_work
from mizzen_controlplane.kit.etag import require_match
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, PreconditionFailed, invalid_field
from mizzen_controlplane.pricing.money import PICO_DIGITS, amount_text

NUMBER_DIGITS = 6


async def finalize(plane: Plane, subject: Subject, project: str, asked: str, if_match: str | None) -> Told:
    """Number the draft and keep it as it is, for ever; raises Conflict for a month under way and one that is final."""
    async with unit_of_work(plane.database) as session:
        books = await books_of(session, plane, project, lock=True)
        told = await _open(books, asked, if_match)
        if told.state == GATHERING:
            raise Conflict(
                f"The month {told.document.month} ends at {told.document.period.end.isoformat()}: finalize it then.",
                code="invoice_gathering",
            )
        row = told.row or _row(books, told)
        number = await repository.next_number(session, plane.organization_id, INVOICES)
        document = told.document.numbered(f"{INVOICES}{number:0{NUMBER_DIGITS}}")
        row.number, row.document, row.digest = document.number, document.text, document.digest
        row.state, row.finalized_at = FINALIZED, utc_now()
        row.touch()
        session.add(row)
        await flush_or(session, Conflict("It was finalized at this moment. Read it.", code="invoice_finalized"))
        await draw(session, row, int(document.total.scaleb(PICO_DIGITS)))
        after = {"number": row.number, "total": str(document.total), "digest": row.digest}
        _trace(session, subject, "invoices.finalize", row, after)
        return (await told_rows(session, [row]))[0]


async def rerate(plane: Plane, subject: Subject, project: str, asked: str, if_match: str | None) -> Told:
    """Price the draft's usage by the rate cards as they are written now; again, it changes nothing."""
    async with unit_of_work(plane.database) as session:
        books = await books_of(session, plane, project, lock=True)
        told = await _open(books, asked, if_match)
        row = told.row or _row(books, told)
        row.rated_as_of = utc_now()
        row.touch()
        session.add(row)
        await flush_or(session, Conflict("It was re-rated at this moment. Read it.", code="invoice_changed"))
        if row not in books.rows:
            books.rows.append(row)
        again = await books.draft(row.month, row)
        after = {"before": str(told.document.total), "total": str(again.document.total)}
        _trace(session, subject, "invoices.rerate", row, after)
        return again


async def pay(
    plane: Plane, subject: Subject, project: str, asked: str, if_match: str | None, at: datetime | None, reference: str
) -> Told:
    """Say that it was paid; raises Conflict unless it is finalized."""
    if at is not None and at > utc_now():
        raise invalid_field("/paid_at", f"paid_at ({at.isoformat()}) is in the future: write when it was paid")
    async with unit_of_work(plane.database) as session:
        row = await _final(await books_of(session, plane, project, lock=True), asked, if_match)
        if row.state != FINALIZED:
            raise Conflict(f"The invoice {row.number} is {row.state} already.", code=f"invoice_{row.state}")
        row.state, row.paid_at, row.payment_reference = PAID, at or utc_now(), reference
        return await _changed(session, subject, "invoices.pay", row, {"reference": reference})


async def void(plane: Plane, subject: Subject, project: str, asked: str, if_match: str | None, reason: str) -> Told:
    """Cancel it, its number kept; the month is a draft again. Raises Conflict where it was paid or credited."""
    async with unit_of_work(plane.database) as session:
        row = await _final(await books_of(session, plane, project, lock=True), asked, if_match)
        if row.state != FINALIZED:
            remedy = "write a credit note instead" if row.state == PAID else "there is nothing more to do"
            raise Conflict(f"The invoice {row.number} is {row.state}: {remedy}.", code=f"invoice_{row.state}")
        if await repository.credited_pico(session, [row.id]):
            raise Conflict(
                f"The invoice {row.number} has credit notes, which would take back what was never charged: "
                "write a further one for the rest instead.",
                code="invoice_credited",
            )
        row.state, row.voided_at, row.void_reason = VOID, utc_now(), reason
        return await _changed(session, subject, "invoices.void", row, {"reason": reason})


async def write_credit_note(
    plane: Plane, subject: Subject, project: str, asked: str, amount: str, reason: str
) -> CreditNote:
    """Take back a part of a final invoice; raises Invalid for more than is left of it."""
    async with unit_of_work(plane.database) as session:
        row = await _final(await books_of(session, plane, project, lock=True), asked, None)
        if row.state == VOID:
            raise Conflict(f"The invoice {row.number} is void: nothing is left to credit.", code="invoice_void")
        told = (await told_rows(session, [row]))[0]
        left = told.left_to_credit_pico
        pico = whole_coins("/amount", amount, plane.currency)
        if pico > left:
            raise invalid_field("/amount", f"amount is {amount}, it must be at most {amount_text(left)}, what is left")
        number = await repository.next_number(session, plane.organization_id, CREDIT_NOTES)
        note = CreditNote(
            id=new_id("crn"), name=f"{CREDIT_NOTES}{number:0{NUMBER_DIGITS}}", organization_id=plane.organization_id,
            project_id=row.project_id, invoice_id=row.id, number=f"{CREDIT_NOTES}{number:0{NUMBER_DIGITS}}",
            amount_pico=pico, currency=plane.currency, reason=reason,
        )  # fmt: skip
        session.add(note)
        row.touch()
        record(
            session, subject, "credit_notes.create", note.id, name=note.number, project_id=row.project_id,
            after={"invoice": row.number, "amount": amount_text(pico), "reason": reason},
        )  # fmt: skip
        return note


async def credit_notes_of(plane: Plane, project: str, asked: str) -> list[CreditNote]:
    """Of one invoice, oldest first."""
    async with reading(plane.database) as session:
        row = (await books_of(session, plane, project)).row_of(asked)
        return list(await repository.credit_notes_of(session, row.id)) if row is not None else []


async def _open(books: Books, asked: str, if_match: str | None) -> Told:
    told = await books.told(asked)
    if told.state not in (DRAFT, GATHERING):
        raise Conflict(
            f"The invoice {told.document.number} is {told.state} and does not change: void it, or write a credit note.",
            code="invoice_finalized",
        )
    if if_match is not None and if_match.strip() != "*" and told.etag not in if_match.split(","):
        raise PreconditionFailed(f"If-Match is {if_match}, the draft's ETag is {told.etag} now. Read it again.")
    return told


async def _final(books: Books, asked: str, if_match: str | None) -> Invoice:
    row = books.row_of(asked)
    if row is None or row.document is None:
        raise Conflict("The invoice is a draft: finalize it first.", code="invoice_draft")
    require_match(if_match, row)
    return row


async def _changed(
    session: AsyncSession, subject: Subject, action: str, row: Invoice, after: Mapping[str, object]
) -> Told:
    row.touch()
    await session.flush()
    _trace(session, subject, action, row, after)
    return (await told_rows(session, [row]))[0]


def _row(books: Books, told: Told) -> Invoice:
    month = told.document.month
    return Invoice(
        id=told.id, name=told.id, organization_id=books.plane.organization_id, project_id=books.owner.id, month=month,
        edition=books.next_edition(month), state=DRAFT,
    )  # fmt: skip


def _trace(session: AsyncSession, subject: Subject, action: str, row: Invoice, after: Mapping[str, object]) -> None:
    named = row.number or row.month
    record(session, subject, action, row.id, name=named, project_id=row.project_id, after=after)
