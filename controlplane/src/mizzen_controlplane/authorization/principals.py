"""Whom can a role be bound to? Only to who is there: a binding to a name that somebody takes later would be a gift."""

from dataclasses import dataclass
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.kit.permission import Permission
from mizzen_controlplane.kit.problem import invalid_field
from mizzen_controlplane.kit.subject import Subject
from mizzen_controlplane.service_accounts.repository import account_by_id
from mizzen_controlplane.service_accounts.subjects import subject_of as subject_of_account
from mizzen_controlplane.sign_in import sessions
from mizzen_controlplane.sign_in.repository import find_person

LONGEST_GROUP: Final = 120


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal as it would call."""

    subject: Subject
    disabled: bool = False
    """None of its calls is answered."""


async def require_principal(session: AsyncSession, principal: str, project_id: str) -> None:
    """Raise Invalid where there is no such principal to bind in the project or, without one, the organization."""
    caller = await caller_of(session, principal, project_id)
    if caller.subject.project_id != project_id and caller.subject.project_id:
        raise invalid_field(
            "/principal", f"{principal} is of one project: bind it to a role there, not in the whole organization."
        )


async def caller_of(session: AsyncSession, principal: str, project_id: str) -> Caller:
    """Who that is when it calls; raises Invalid where nobody is, in a project also for one of another project."""
    kind, _, ident = principal.partition(":")
    if kind == "group" and 0 < len(ident) <= LONGEST_GROUP:  # who is in it, its provider says
        return Caller(Subject(principal, frozenset({Permission.SELF})))
    if kind == "person" and (person := await find_person(session, ident)) is not None:
        return Caller(sessions.subject_of(person), person.disabled)
    account = await account_by_id(session, ident) if kind == "service-account" else None
    if account is not None and project_id in ("", account.project_id):
        return Caller(subject_of_account(account), account.disabled)
    raise invalid_field(
        "/principal",
        f"There is no {principal!r} here: give person:<id> with the id of a person, service-account:<id> with that of "
        "a service account of the project, or group:<name> with a group of the identity provider.",
    )
