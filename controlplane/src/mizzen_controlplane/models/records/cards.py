"""The rules of cards: one Markdown text for a model or a version, changed under If-Match."""

import hashlib

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.database import flush_or, reading, unit_of_work
from mizzen_controlplane.kit.etag import require_match
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import NotFound, PreconditionFailed
from mizzen_controlplane.kit.wire import resource_fields
from mizzen_controlplane.models.records.models import Card
from mizzen_controlplane.models.records.repository import find_card
from mizzen_controlplane.models.records.schemas import CardPut, CardView
from mizzen_controlplane.models.scope import model_or_404, version_or_404


def view(card: Card) -> CardView:
    """On the wire."""
    return CardView.model_validate({**resource_fields(card), "text": card.text})


async def get(plane: Plane, project_ref: str, model_ref: str, number: int | None) -> Card:
    """The card of a version, or of the model where `number` is None; raises NotFound."""
    async with reading(plane.database) as session:
        _project_id, subject_id, name = await _subject(session, plane, project_ref, model_ref, number)
        card = await find_card(session, subject_id)
    if card is None:
        raise _missing(name)
    return card


async def put(
    plane: Plane,
    subject: Subject,
    project_ref: str,
    model_ref: str,
    number: int | None,
    body: CardPut,
    if_match: str | None,
) -> tuple[Card, bool]:
    """Write the card; the last value says whether it was made now."""
    async with unit_of_work(plane.database) as session:
        project_id, subject_id, name = await _subject(session, plane, project_ref, model_ref, number)
        card = await find_card(session, subject_id, lock=True)
        require_match(if_match, card)
        before = _told(card)
        made = card is None
        if card is None:
            card = Card(id=new_id("mcd"), name=name, project_id=project_id, subject_id=subject_id, text=body.text)
            session.add(card)
            await flush_or(session, PreconditionFailed(f"The card of {name} was made by someone else just now."))
        elif card.text != body.text:
            card.text = body.text
            card.touch()
        if _told(card) != before:
            record(
                session, subject, "cards.put", card.id, name=name, project_id=project_id, before=before,
                after=_told(card),
            )  # fmt: skip
    return card, made


async def delete(
    plane: Plane, subject: Subject, project_ref: str, model_ref: str, number: int | None, if_match: str | None
) -> None:
    """Remove the card; raises NotFound."""
    async with unit_of_work(plane.database) as session:
        project_id, subject_id, name = await _subject(session, plane, project_ref, model_ref, number)
        card = await find_card(session, subject_id, lock=True)
        require_match(if_match, card)
        if card is None:
            raise _missing(name)
        await session.delete(card)
        record(session, subject, "cards.delete", card.id, name=name, project_id=project_id, before=_told(card))


async def _subject(
    session: AsyncSession, plane: Plane, project_ref: str, model_ref: str, number: int | None
) -> tuple[str, str, str]:
    """Ids of the project and of what the card is about, and how it is called."""
    project, model = await model_or_404(session, plane, project_ref, model_ref)
    if number is None:
        return project.id, model.id, model.name
    version = await version_or_404(session, model, number)
    return project.id, version.id, f"{model.name}@{number}"


def _told(card: Card | None) -> dict[str, object] | None:
    """What the audit trail keeps: which text it was, not all of it."""
    if card is None:
        return None
    content = card.text.encode()
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def _missing(name: str) -> NotFound:
    return NotFound(f"{name} has no card yet.", code="card_not_found")
