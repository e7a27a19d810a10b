"""The rules of sessions: how one begins, how it is known again, when it is over, and who may end it."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.kit.auth import Permission, Subject
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.pages import PageQuery, page_of
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Forbidden, NotFound
from mizzen_controlplane.kit.settings import Settings
from mizzen_controlplane.sign_in.models import LOCAL, Person, SignInSession
from mizzen_controlplane.sign_in.repository import (
    end_sessions,
    find_session,
    forget_ended_sessions,
    sessions_of,
)
from mizzen_controlplane.sign_in.session_secret import new_secret

FIELDS = {"id": SignInSession.id, "created_at": SignInSession.created_at, "used_at": SignInSession.used_at}


class Kind(StrEnum):
    """Where a session lives: its secret is a cookie, or the token that commands send. One never passes as the other."""

    BROWSER = "BROWSER"
    COMMAND_LINE = "COMMAND_LINE"


@dataclass(frozen=True, slots=True)
class Caller:
    """Where somebody signs in from."""

    kind: Kind
    address: str
    agent: str


@dataclass(frozen=True, slots=True)
class Begun:
    """A new session, with what opens it."""

    session: SignInSession
    person: Person
    secret: str


def digest_of(secret: str) -> str:
    """What a session is known by."""
    return hashlib.sha256(secret.encode()).hexdigest()


def subject_of(person: Person, session_id: str = "") -> Subject:
    """The subject that a person is."""
    return Subject(
        f"person:{person.id}",
        frozenset({Permission.SELF}),
        groups=frozenset(person.groups),
        # Of whom no provider speaks, bindings alone say that they administer: theirs can be taken away.
        roles=frozenset({"platform-admin"} if person.platform_admin and person.issuer != LOCAL else ()),
        session_id=session_id,
    )


async def begin(session: AsyncSession, settings: Settings, person: Person, caller: Caller, provider: str) -> Begun:
    """Begin a session in this transaction; raises Forbidden for a person who is disabled."""
    refuse_disabled(person)
    now, secret = utc_now(), new_secret()
    await forget_ended_sessions(session, now, unused_since(settings, now))
    made = SignInSession(
        id=new_id("ses"),
        digest=digest_of(secret),
        person_id=person.id,
        kind=caller.kind,
        provider=provider,
        created_at=now,
        used_at=now,
        expires_at=now + timedelta(seconds=settings.session_seconds),
        address=caller.address[:64],
        agent=caller.agent[:255],
    )
    session.add(made)
    after = {"person": person.id, "kind": caller.kind, "provider": provider}
    record(session, subject_of(person), "sessions.begin", made.id, name=person.name, after=after, person=person.id)
    return Begun(made, person, secret)


def refuse_disabled(person: Person) -> None:
    """Raise Forbidden for a person who is disabled."""
    if person.disabled:
        raise Forbidden("This person is disabled. Ask an administrator.", code="person_disabled")


def unused_since(settings: Settings, now: datetime) -> datetime:
    """A session that was last used before this is over."""
    return now - timedelta(seconds=settings.session_idle_seconds)


def is_over(found: SignInSession, settings: Settings, now: datetime) -> bool:
    """Too old, or too long unused."""
    return found.expires_at <= now or found.used_at <= unused_since(settings, now)


async def page(plane: Plane, subject: Subject, asked: PageQuery) -> tuple[list[SignInSession], str]:
    """One page of the subject's own sessions; of one who is no person there are none."""
    person_id, now = person_id_of(subject), utc_now()
    async with reading(plane.database) as session:
        statement = sessions_of(person_id, now, unused_since(plane.settings, now))
        return await page_of(session, statement, asked, FIELDS, plane.secrets.page_key, scope=f"sessions {person_id}")


async def end(plane: Plane, subject: Subject, session_id: str) -> None:
    """End one of the subject's own sessions; raises NotFound for any other."""
    async with unit_of_work(plane.database) as session:
        found = await find_session(session, person_id_of(subject), session_id)
        if found is None:
            raise NotFound(f"You have no session {session_id!r}.", code="session_not_found")
        await session.delete(found)
        record(session, subject, "sessions.end", session_id)


async def end_all(session: AsyncSession, subject: Subject, person: Person, but: str = "") -> None:
    """End all sessions of a person but one, in this transaction."""
    for ended in await end_sessions(session, person.id, but):
        record(session, subject, "sessions.end", ended, name=person.name, person=person.id)


def person_id_of(subject: Subject) -> str:
    """Id of the person; empty for a subject that is none."""
    kind, _, person_id = subject.name.partition(":")
    return person_id if kind == "person" else ""
