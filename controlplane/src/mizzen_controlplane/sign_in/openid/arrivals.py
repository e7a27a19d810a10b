"""Whom an issuer vouches for is a person here, known by issuer and subject: made when first seen, without any role."""

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.record import Trace, record_trace
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.upsert import insert_into
from mizzen_controlplane.sign_in.models import Person
from mizzen_controlplane.sign_in.openid.claims import Identity
from mizzen_controlplane.sign_in.repository import person_of


async def arrive(session: AsyncSession, identity: Identity) -> Person:
    """The person, as the issuer says now, locked."""
    person = await person_of(session, identity.issuer, identity.subject, lock=True)
    if person is None:
        return await _made(session, identity)
    if not person.disabled and (after := _differences(person, identity)):
        before = {field: getattr(person, field) for field in after}
        for field, value in after.items():
            setattr(person, field, value)
        person.touch()
        _trace(session, person, "persons.change", before, after)
    return person


async def _made(session: AsyncSession, identity: Identity) -> Person:
    fresh = Person(
        id=new_id("per"), name=identity.name, issuer=identity.issuer, subject=identity.subject, email=identity.email,
        groups=sorted(identity.groups), platform_admin=identity.admin,
    )  # fmt: skip
    # Two first requests at once are one person.
    insertion = insert_into(session, Person).values(**fresh.model_dump())
    await session.exec(insertion.on_conflict_do_nothing(index_elements=["issuer", "subject"]))
    person = await person_of(session, identity.issuer, identity.subject, lock=True)
    assert person is not None
    if person.id == fresh.id:
        _trace(session, person, "persons.create", None, person.model_dump())
    return person


def _differences(person: Person, identity: Identity) -> dict[str, object]:
    said = {
        "name": identity.name,
        "email": identity.email,
        "groups": sorted(identity.groups),
        "platform_admin": identity.admin,
    }
    return {field: value for field, value in said.items() if getattr(person, field) != value}


def _trace(
    session: AsyncSession, person: Person, action: str, before: dict[str, object] | None, after: dict[str, object]
) -> None:
    name = f"person:{person.id}"
    record_trace(session, Trace(name, action, person.id, person.name, before=before, after=after, person=person.id))
