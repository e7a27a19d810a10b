"""SQL of invoices, credit notes and billing profiles."""

from collections.abc import Iterable, Sequence

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from mizzen_controlplane.invoices.models import BillingProfile, Credit, CreditDraw, CreditNote, Invoice
from mizzen_controlplane.kit.tables import Counter
from mizzen_controlplane.kit.upsert import insert_into

PAGE_FIELDS = {
    "id": col(Invoice.id),
    "month": col(Invoice.month),
    "state": col(Invoice.state),
    "number": col(Invoice.number),
    "project_id": col(Invoice.project_id),
    "finalized_at": col(Invoice.finalized_at),
}


async def next_number(session: AsyncSession, organization_id: str, series: str) -> int:
    """The next of a series, 1 first. Its row stays locked until the transaction ends, and goes back with it: no gap."""
    statement = insert_into(session, Counter).values(name=f"{series} {organization_id}", value=1)
    raised = statement.on_conflict_do_update(index_elements=["name"], set_={"value": col(Counter.value) + 1}).returning(
        col(Counter.value)
    )
    return int((await session.exec(raised)).scalar_one())


async def invoices_of_project(session: AsyncSession, project_id: str) -> Sequence[Invoice]:
    """All that are more than the ledger's sums, oldest first."""
    statement = select(Invoice).where(Invoice.project_id == project_id)
    return (await session.exec(statement.order_by(col(Invoice.month), col(Invoice.edition)))).all()


def numbered_invoices(organization_id: str) -> SelectOfScalar[Invoice]:
    """All that have a number, for a page."""
    return select(Invoice).where(Invoice.organization_id == organization_id, col(Invoice.number).is_not(None))


async def credited_pico(session: AsyncSession, invoice_ids: Iterable[str]) -> dict[str, int]:
    """What credit notes take back, by invoice; nothing for those without one."""
    statement = (
        select(CreditNote.invoice_id, func.sum(CreditNote.amount_pico))
        .where(col(CreditNote.invoice_id).in_(list(invoice_ids)))
        .group_by(col(CreditNote.invoice_id))
    )
    return {invoice_id: int(pico) for invoice_id, pico in (await session.exec(statement)).all()}


async def credit_notes_of(session: AsyncSession, invoice_id: str) -> Sequence[CreditNote]:
    """Credit notes of an invoice, oldest first."""
    statement = select(CreditNote).where(CreditNote.invoice_id == invoice_id).order_by(col(CreditNote.id))
    return (await session.exec(statement)).all()


async def profiles_of(session: AsyncSession, parent_ids: Iterable[str]) -> dict[str, BillingProfile]:
    """Billing profiles by parent."""
    statement = select(BillingProfile).where(col(BillingProfile.parent_id).in_(list(parent_ids)))
    return {row.parent_id: row for row in (await session.exec(statement)).all()}


async def credits_of(session: AsyncSession, project_id: str) -> Sequence[Credit]:
    """Credits of a project, oldest first."""
    return (await session.exec(select(Credit).where(Credit.project_id == project_id).order_by(col(Credit.id)))).all()


async def drawn_of_credits(session: AsyncSession, credit_ids: Iterable[str]) -> dict[str, int]:
    """What invoices that are not void have drawn, by credit."""
    statement = (
        select(CreditDraw.credit_id, func.sum(CreditDraw.amount_pico))
        .join(Invoice, col(Invoice.id) == col(CreditDraw.invoice_id))
        .where(col(CreditDraw.credit_id).in_(list(credit_ids)), Invoice.state != "void")
        .group_by(col(CreditDraw.credit_id))
    )
    return {credit_id: int(pico) for credit_id, pico in (await session.exec(statement)).all()}


async def drawn_by_invoices(session: AsyncSession, invoice_ids: Iterable[str]) -> dict[str, int]:
    """What was drawn, by invoice."""
    statement = (
        select(CreditDraw.invoice_id, func.sum(CreditDraw.amount_pico))
        .where(col(CreditDraw.invoice_id).in_(list(invoice_ids)))
        .group_by(col(CreditDraw.invoice_id))
    )
    return {invoice_id: int(pico) for invoice_id, pico in (await session.exec(statement)).all()}
