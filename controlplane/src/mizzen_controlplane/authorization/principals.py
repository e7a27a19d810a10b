"""Whom can a role be bound to? Only to who is there: a binding to a name that somebody takes later would be a gift."""

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.kit.permission import Permission
from mizzen_controlplane.kit.problem import invalid_field
from mizzen_controlplane.kit.subject import Subject
from mizzen_controlplane.sign_in.repository import find_person


async def require_principal(session: AsyncSession, principal: str) -> None:
    """Raise Invalid where there is no such principal."""
    kind, _, ident = principal.partition(":")
    if kind != "person" or await find_person(session, ident) is None:
        raise invalid_field("/principal", f"There is no {principal!r}: give person:<id> with the id of a person here.")


async def subject_of(session: AsyncSession, principal: str) -> Subject:
    """Who that is when it calls; raises Invalid where there is no such principal."""
    await require_principal(session, principal)
    person = await find_person(session, principal.partition(":")[2])
    groups = frozenset(person.groups if person is not None else ())
    return Subject(principal, frozenset({Permission.SELF}), groups=groups)
