"""Whom can a role be bound to? Only to who is there: a binding to a name that somebody takes later would be a gift."""

from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.kit.permission import Permission
from mizzen_controlplane.kit.problem import invalid_field
from mizzen_controlplane.kit.subject import Subject
from mizzen_controlplane.sign_in import sessions
from mizzen_controlplane.sign_in.repository import find_person

LONGEST_GROUP: Final = 120


async def require_principal(session: AsyncSession, principal: str) -> None:
    """Raise Invalid where there is no such principal."""
    kind, _, ident = principal.partition(":")
    if kind == "group" and 0 < len(ident) <= LONGEST_GROUP:
        return  # who is in it, its provider says
    if kind != "person" or await find_person(session, ident) is None:
        raise invalid_field(
            "/principal",
            f"There is no {principal!r}: give person:<id> with the id of a person here, "
            "or group:<name> with a group of the identity provider.",
        )


async def subject_of(session: AsyncSession, principal: str) -> Subject:
    """Who that is when it calls; raises Invalid where there is no such principal."""
    await require_principal(session, principal)
    kind, _, ident = principal.partition(":")
    person = await find_person(session, ident) if kind == "person" else None
    if person is not None:
        return sessions.subject_of(person)
    return Subject(principal, frozenset({Permission.SELF}))
