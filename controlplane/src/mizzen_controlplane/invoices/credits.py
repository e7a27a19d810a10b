"""Rules of credits: made once, drawn by invoices as these are finalized, whole again where such an invoice is void."""

from collections.abc import Sequence

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.invoices import repository
from mizzen_controlplane.invoices.drawing import InHand, drawn
from mizzen_controlplane.invoices.models import Credit, CreditDraw, Invoice
from mizzen_controlplane.invoices.schemas import CreditWrite
from mizzen_controlplane.invoices.whole_coins import whole_coins
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import flush_or, reading, unit_of_work
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, invalid_field
from mizzen_controlplane.pricing.money import amount_text

WithLeft = tuple[Credit, int]
"""A credit, and the pico that are left of it."""


async def create_credit(plane: Plane, subject: Subject, project: str, body: CreditWrite) -> WithLeft:
    """Give a project a credit; raises Conflict for a name that is taken."""
    pico = whole_coins("/amount", body.amount, plane.currency)
    if body.expires_at is not None and body.expires_at <= utc_now():
        raise invalid_field("/expires_at", f"expires_at ({body.expires_at}) has passed: write a later time, or none")
    async with unit_of_work(plane.database) as session:
        owner = await project_or_404(session, plane, project, lock=True, even_archived=True)
        made = Credit(
            id=new_id("crd"), name=body.name, labels=body.labels, project_id=owner.id, amount_pico=pico,
            currency=plane.currency, priority=body.priority, expires_at=body.expires_at, reason=body.reason,
        )  # fmt: skip
        session.add(made)
        await flush_or(session, Conflict(f"A credit named {body.name!r} exists already.", code="name_taken"))
        record(
            session, subject, "credits.create", made.id, name=made.name, project_id=owner.id,
            after={"amount": amount_text(pico), "reason": body.reason},
        )  # fmt: skip
        return made, pico


async def list_credits(plane: Plane, project: str) -> list[WithLeft]:
    """A project's, oldest first."""
    async with reading(plane.database) as session:
        owner = await project_or_404(session, plane, project)
        return await _with_left(session, await repository.credits_of(session, owner.id))


async def draw(session: AsyncSession, row: Invoice, due_pico: int) -> int:
    """Have a finalized invoice draw what it can, in this transaction; returns how much. The project is locked."""
    in_hand = [
        InHand(credit.id, left, credit.priority, credit.expires_at)
        for credit, left in await _with_left(session, await repository.credits_of(session, row.project_id))
    ]
    taken = drawn(in_hand, due_pico, utc_now())
    session.add_all(CreditDraw(invoice_id=row.id, credit_id=each, amount_pico=pico) for each, pico in taken.items())
    await session.flush()
    return sum(taken.values())


async def _with_left(session: AsyncSession, rows: Sequence[Credit]) -> list[WithLeft]:
    taken = await repository.drawn_of_credits(session, [row.id for row in rows])
    return [(row, row.amount_pico - taken.get(row.id, 0)) for row in rows]
