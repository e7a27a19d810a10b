"""The rules of persons: who is there, and who may no longer sign in."""

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.etag import require_match
from mizzen_controlplane.kit.pages import PageQuery, page_of
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import NotFound
from mizzen_controlplane.sign_in import sessions
from mizzen_controlplane.sign_in.models import Person
from mizzen_controlplane.sign_in.repository import all_persons, find_person
from mizzen_controlplane.sign_in.schemas import PersonPatch

FIELDS = {
    name: getattr(Person, name)
    for name in ("id", "name", "created_at", "updated_at", "issuer", "subject", "email", "disabled")
}


async def page(plane: Plane, asked: PageQuery) -> tuple[list[Person], str]:
    """One page of persons."""
    async with reading(plane.database) as session:
        return await page_of(session, all_persons(), asked, FIELDS, plane.secrets.page_key, scope="persons")


async def get(plane: Plane, person_id: str) -> Person:
    """One person; raises NotFound."""
    async with reading(plane.database) as session:
        return _there(await find_person(session, person_id), person_id)


async def change(plane: Plane, subject: Subject, person_id: str, body: PersonPatch, if_match: str | None) -> Person:
    """Disable or enable a person, or change labels; one who is disabled is signed out everywhere."""
    async with unit_of_work(plane.database) as session:
        person = _there(await find_person(session, person_id, lock=True), person_id)
        require_match(if_match, person)
        before = person.model_dump()
        if body.disabled is not None:
            person.disabled = body.disabled
        if body.labels is not None:
            person.labels = body.labels
        if person.model_dump() != before:
            person.touch()
            record(
                session, subject, "persons.change", person.id, name=person.name, before=before,
                after=person.model_dump(), person=person.id,
            )  # fmt: skip
        if person.disabled:
            await sessions.end_all(session, subject, person)
    return person


async def sign_out(plane: Plane, subject: Subject, person_id: str) -> None:
    """End all sessions of a person; raises NotFound."""
    async with unit_of_work(plane.database) as session:
        person = _there(await find_person(session, person_id, lock=True), person_id)
        await sessions.end_all(session, subject, person)


def _there(person: Person | None, person_id: str) -> Person:
    if person is None:
        raise NotFound(f"There is no person {person_id!r}.", code="person_not_found")
    return person
