"""The rules of local accounts: signing in by password, changing it, and giving a new one-time password."""

import secrets
from dataclasses import dataclass

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.record import Trace, record, record_trace
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, Forbidden, NotFound, Unauthorized
from mizzen_controlplane.sign_in import sessions
from mizzen_controlplane.sign_in.models import LOCAL, LocalAccount, Person
from mizzen_controlplane.sign_in.passwords import hashed, is_password, refuse_weak
from mizzen_controlplane.sign_in.repository import account_named, account_of, find_person
from mizzen_controlplane.sign_in.sessions import Begun, Caller
from mizzen_controlplane.sign_in.throttle import Tries, begin_try, succeeded


@dataclass(frozen=True, slots=True)
class Credentials:
    """What somebody gives to sign in by."""

    username: str
    password: str
    new_password: str | None = None


async def sign_in(plane: Plane, given: Credentials, caller: Caller) -> Begun:
    """Begin a session; raises Unauthorized, TooManyRequests, and Forbidden where the password must be changed first."""
    username = given.username.casefold()
    tries = Tries(plane.secrets.page_key, username, caller.address)
    await begin_try(plane.database, tries)
    account = await _verified(plane, username, given.password)
    if account is None:
        await _leave_trace(plane, username)
        raise Unauthorized("User name or password is wrong.", code="wrong_password")
    fresh = await _new_hash(account, given)
    async with unit_of_work(plane.database) as session:
        person = await _unchanged(session, account)
        await succeeded(session, tries)
        if fresh is not None:
            await _replace(session, sessions.subject_of(person), person, fresh)
        return await sessions.begin(session, plane.settings, person, caller, LOCAL)


async def change_password(plane: Plane, subject: Subject, password: str, new_password: str, address: str) -> None:
    """Change one's own password and end one's other sessions; raises Unauthorized, TooManyRequests, Conflict."""
    async with reading(plane.database) as session:
        mine = await account_of_subject(session, subject)
    tries = Tries(plane.secrets.page_key, mine.username, address)
    await begin_try(plane.database, tries)
    if not await is_password(mine.password_hash, password):
        raise Forbidden("The present password is wrong.", code="wrong_password")
    refuse_weak("/new_password", new_password, mine.username, password)
    fresh = await hashed(new_password)
    async with unit_of_work(plane.database) as session:
        person = await _unchanged(session, mine)
        await succeeded(session, tries)
        await _replace(session, subject, person, fresh)


async def reset_password(plane: Plane, subject: Subject, person_id: str) -> str:
    """Give a local account a new one-time password, and end its sessions; raises NotFound, Conflict."""
    password = secrets.token_urlsafe(18)
    fresh = await hashed(password)
    async with unit_of_work(plane.database) as session:
        person = await find_person(session, person_id, lock=True)
        if person is None:
            raise NotFound(f"There is no person {person_id!r}.", code="person_not_found")
        await _replace(session, subject, person, fresh, one_time=True)
    return password


async def account_of_subject(session: AsyncSession, subject: Subject) -> LocalAccount:
    """The caller's own account; raises Conflict for who has none."""
    account = await account_of(session, sessions.person_id_of(subject))
    if account is None:
        raise Conflict("You have no password here: change it where you signed in.", code="no_local_account")
    return account


async def _verified(plane: Plane, username: str, password: str) -> LocalAccount | None:
    async with reading(plane.database) as session:
        account = await account_named(session, username)
    right = await is_password(account.password_hash if account is not None else None, password)
    return account if right else None


async def _new_hash(account: LocalAccount, given: Credentials) -> str | None:
    """Of the password to change to; raises Forbidden where one is needed and was not given."""
    if given.new_password is not None:
        refuse_weak("/new_password", given.new_password, account.username, given.password)
        return await hashed(given.new_password)
    if account.one_time:
        raise Forbidden(
            "This password works once, to set your own: send that as new_password with it.",
            code="password_change_needed",
        )
    return None


async def _unchanged(session: AsyncSession, seen: LocalAccount) -> Person:
    """Whose the account is, locked; raises Unauthorized where its password was changed since it was looked at."""
    account = await account_of(session, seen.person_id)
    person = await find_person(session, seen.person_id, lock=True)
    if account is None or person is None or account.password_hash != seen.password_hash:
        raise Unauthorized("The password was changed meanwhile. Sign in with the new one.", code="wrong_password")
    return person


async def _replace(
    session: AsyncSession, subject: Subject, person: Person, password_hash: str, *, one_time: bool = False
) -> None:
    account = await account_of(session, person.id)
    if account is None:
        raise Conflict(f"{person.name} has no password here, but signs in elsewhere.", code="no_local_account")
    account.password_hash, account.one_time, account.changed_at = password_hash, one_time, utc_now()
    await sessions.end_all(session, subject, person, but=subject.session_id)
    action = "persons.resetPassword" if one_time else "persons.changePassword"
    record(session, subject, action, person.id, name=person.name, person=person.id)


async def _leave_trace(plane: Plane, username: str) -> None:
    """Of a failed attempt on an account that is there: names that are tried must not fill the table."""
    async with unit_of_work(plane.database) as session:
        account = await account_named(session, username)
        if account is not None:
            trace = Trace(
                "anonymous", "sessions.begin", account.person_id, username, outcome="denied", person=account.person_id
            )
            record_trace(session, trace)
