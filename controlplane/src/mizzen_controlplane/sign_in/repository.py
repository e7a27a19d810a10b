"""SQL of persons, local accounts, sessions and failed attempts."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from mizzen_controlplane.kit.upsert import insert_into
from mizzen_controlplane.sign_in.models import LocalAccount, Person, SignInAttempts, SignInSession, UsedIdToken


async def person_of(session: AsyncSession, issuer: str, subject: str, *, lock: bool = False) -> Person | None:
    """The person that the issuer knows by this subject."""
    statement = select(Person).where(Person.issuer == issuer, Person.subject == subject)
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


async def find_person(session: AsyncSession, person_id: str, *, lock: bool = False) -> Person | None:
    """A person by id."""
    statement = select(Person).where(Person.id == person_id)
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


def all_persons() -> SelectOfScalar[Person]:
    """Everybody, for a page."""
    return select(Person)


async def account_named(session: AsyncSession, username: str) -> LocalAccount | None:
    """The local account of that name."""
    return (await session.exec(select(LocalAccount).where(LocalAccount.username == username))).one_or_none()


async def account_of(session: AsyncSession, person_id: str) -> LocalAccount | None:
    """The local account of a person, locked."""
    statement = select(LocalAccount).where(LocalAccount.person_id == person_id).with_for_update()
    return (await session.exec(statement)).one_or_none()


async def any_account(session: AsyncSession) -> bool:
    """Whether there is a local account at all."""
    return (await session.exec(select(LocalAccount.person_id).limit(1))).first() is not None


async def session_by_digest(session: AsyncSession, digest: str, kind: str) -> tuple[SignInSession, Person] | None:
    """A session and whose it is."""
    statement = (
        select(SignInSession, Person)
        .join(Person, col(Person.id) == col(SignInSession.person_id))
        .where(col(SignInSession.digest) == digest, col(SignInSession.kind) == kind)
    )
    found = (await session.exec(statement)).one_or_none()
    return (found[0], found[1]) if found is not None else None


async def find_session(session: AsyncSession, person_id: str, session_id: str) -> SignInSession | None:
    """One session of the person, locked."""
    statement = select(SignInSession).where(SignInSession.id == session_id, SignInSession.person_id == person_id)
    return (await session.exec(statement.with_for_update())).one_or_none()


def sessions_of(person_id: str, now: datetime, unused_since: datetime) -> SelectOfScalar[SignInSession]:
    """The live sessions of a person, for a page."""
    return select(SignInSession).where(
        SignInSession.person_id == person_id,
        col(SignInSession.expires_at) > now,
        col(SignInSession.used_at) > unused_since,
    )


async def end_sessions(session: AsyncSession, person_id: str, but: str = "") -> Sequence[str]:
    """End all sessions of a person but one; returns the ids of those that were ended."""
    statement = delete(SignInSession).where(col(SignInSession.person_id) == person_id, col(SignInSession.id) != but)
    return list((await session.exec(statement.returning(col(SignInSession.id)))).scalars())


async def end_session(session: AsyncSession, session_id: str) -> None:
    """End one session, whoever's."""
    await session.exec(delete(SignInSession).where(col(SignInSession.id) == session_id))


async def forget_ended_sessions(session: AsyncSession, now: datetime, unused_since: datetime) -> None:
    """Remove the rows of sessions that are over."""
    over = (col(SignInSession.expires_at) <= now) | (col(SignInSession.used_at) <= unused_since)
    await session.exec(delete(SignInSession).where(over))


async def mark_used(session: AsyncSession, session_id: str, now: datetime) -> None:
    """The session was used now."""
    await session.exec(update(SignInSession).where(col(SignInSession.id) == session_id).values(used_at=now))


async def claim_check(session: AsyncSession, session_id: str, seen: datetime | None, now: datetime) -> bool:
    """Take it on oneself to ask the provider; False where another request did so since `seen`."""
    statement = (
        update(SignInSession)
        .where(col(SignInSession.id) == session_id, col(SignInSession.checked_at) == seen)
        .values(checked_at=now)
    )
    return bool((await session.exec(statement.returning(col(SignInSession.id)))).first())


async def use_once(session: AsyncSession, digest: str, until: datetime, now: datetime) -> bool:
    """Whether this ID token is used for the first time; what was over is forgotten."""
    await session.exec(delete(UsedIdToken).where(col(UsedIdToken.until) < now))
    insertion = insert_into(session, UsedIdToken).values(digest=digest, until=until).on_conflict_do_nothing()
    return bool((await session.exec(insertion.returning(col(UsedIdToken.digest)))).first())


async def attempts_in(session: AsyncSession, buckets: Sequence[str]) -> dict[str, SignInAttempts]:
    """What was counted, locked, in one order for all."""
    statement = (
        select(SignInAttempts)
        .where(col(SignInAttempts.bucket).in_(buckets))
        .order_by(col(SignInAttempts.bucket))
        .with_for_update()
    )
    return {row.bucket: row for row in (await session.exec(statement)).all()}


async def forget_attempts(session: AsyncSession, buckets: Sequence[str], before: datetime) -> None:
    """Forget these counts, and those in which nothing happened since `before`."""
    named = col(SignInAttempts.bucket).in_(buckets)
    await session.exec(delete(SignInAttempts).where(named | (col(SignInAttempts.last_at) < before)))
