"""Idempotency-Key on POST: the same body gets the same answer for 24 hours, another body 422, one under way 409.

The claim is marked in the very transaction that makes the change (as unit_of_work's guard), so a crash
between the change and its answer can never make the change twice.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from fastapi import Request, Response
from sqlalchemy import JSON, LargeBinary, Update, delete, update
from sqlmodel import Field, SQLModel, col
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.kit.auth import Allow
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.columns import UtcDateTime
from mizzen_controlplane.kit.cookie_session import presented
from mizzen_controlplane.kit.database import COMMIT_GUARD, Database, flush_or, unit_of_work
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.plane import plane_of
from mizzen_controlplane.kit.problem import Conflict, Invalid, invalid_field
from mizzen_controlplane.kit.sealing import seal, unseal

LIFETIME = timedelta(hours=24)
STALE_AFTER = timedelta(seconds=60)
MAX_KEY_LENGTH = 255

RUNNING, WRITTEN, DONE = "RUNNING", "WRITTEN", "DONE"


class IdempotencyClaim(SQLModel, table=True):
    """One Idempotency-Key of one caller."""

    __tablename__ = "idempotency_claim"

    key_digest: str = Field(primary_key=True, max_length=64)
    claim_id: str = Field(max_length=64)
    body_digest: str = Field(max_length=64)
    state: str = Field(max_length=16)
    claimed_at: datetime = Field(sa_type=UtcDateTime, index=True)
    status: int | None = None
    headers: dict[str, str] = Field(default_factory=dict, sa_type=JSON)
    answer: bytes | None = Field(default=None, sa_type=LargeBinary)


@dataclass(frozen=True, slots=True)
class Claim:
    """What this request holds."""

    key_digest: str
    claim_id: str


async def answer_once(
    request: Request, guard: Allow | None, handler: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Answer `request` through `handler`, or with the answer that its Idempotency-Key already has.

    `guard` refuses who may not call: also one who might when the answer was first given. None: anyone may.
    """
    given = request.headers.get("idempotency-key")
    if given is None or guard is None:
        return await handler(request)
    if not 1 <= len(given) <= MAX_KEY_LENGTH or not given.isprintable():
        raise invalid_field(
            "header:Idempotency-Key", f"Idempotency-Key must be 1 to {MAX_KEY_LENGTH} printable characters."
        )
    plane = plane_of(request)
    authorization = presented(request)
    await guard(request)  # before anything is remembered or told again
    secret = hashlib.sha256(b"\0".join([plane.secrets.page_key, authorization.encode(), given.encode()])).digest()
    body = await request.body()
    asked = f"{request.method} {request.url.path}?{request.url.query}\n".encode() + body
    claim = Claim(hashlib.sha256(b"key" + secret).hexdigest(), new_id("idc"))
    earlier = await _claim(plane.database, claim, hashlib.sha256(asked).hexdigest())
    if earlier is not None:
        return _repeated(earlier, secret)
    return await _first_answer(request, handler, plane.database, claim, secret)


async def _claim(database: Database, claim: Claim, body_digest: str) -> IdempotencyClaim | None:
    """Take the key, or return the finished claim that has it; raises where the key is in use otherwise."""
    now = utc_now()
    async with unit_of_work(database) as session:
        await session.exec(delete(IdempotencyClaim).where(col(IdempotencyClaim.claimed_at) < now - LIFETIME))
        held = await session.get(IdempotencyClaim, claim.key_digest, with_for_update=True)
        if held is None:
            fresh = IdempotencyClaim(
                key_digest=claim.key_digest,
                claim_id=claim.claim_id,
                body_digest=body_digest,
                state=RUNNING,
                claimed_at=now,
            )
            session.add(fresh)
            await flush_or(session, _under_way())
            return None
        if held.body_digest != body_digest:
            raise Invalid(
                "This Idempotency-Key was used for another request. Take a new key for a new request.",
                code="idempotency_key_reused",
            )
        if held.state == DONE:
            return held
        if now - held.claimed_at < STALE_AFTER:
            raise _under_way()
        if held.state == WRITTEN:
            raise _lost_answer()
        held.claim_id, held.claimed_at = claim.claim_id, now
        return None


async def release_claims_of_the_dead(database: Database) -> None:
    """At the start of the only process (SQLite): no claim can still be running, whatever its age says."""
    if not database.is_sqlite:
        return
    async with unit_of_work(database) as session:
        await session.exec(delete(IdempotencyClaim).where(col(IdempotencyClaim.state) == RUNNING))
        written = update(IdempotencyClaim).where(col(IdempotencyClaim.state) == WRITTEN)
        await session.exec(written.values(claimed_at=utc_now() - STALE_AFTER))


def _under_way() -> Conflict:
    return Conflict(
        "A request with this Idempotency-Key is still running. Repeat it in a second.",
        code="idempotency_in_progress",
        headers={"Retry-After": "1"},
    )


def _lost_answer() -> Conflict:
    return Conflict(
        "The change was made, but its answer was lost in a crash. Read the resource instead of repeating.",
        code="idempotency_answer_lost",
    )


async def _first_answer(
    request: Request,
    handler: Callable[[Request], Awaitable[Response]],
    database: Database,
    claim: Claim,
    secret: bytes,
) -> Response:
    token = COMMIT_GUARD.set(partial(_confirm, claim))
    try:
        response = await handler(request)
    except BaseException:
        COMMIT_GUARD.reset(token)
        await _release(database, claim)
        raise
    COMMIT_GUARD.reset(token)
    await _remember(database, claim, response, secret)
    return response


async def _confirm(claim: Claim, session: AsyncSession) -> None:
    """Inside the writing transaction: the change of `claim` is made; raises where it was taken over meanwhile."""
    confirmed = await session.exec(
        _of(claim).values(state=WRITTEN).returning(col(IdempotencyClaim.claim_id)),
        execution_options={"synchronize_session": False},
    )
    if confirmed.first() is None:
        raise _under_way()


def _of(claim: Claim) -> Update:
    return update(IdempotencyClaim).where(
        col(IdempotencyClaim.key_digest) == claim.key_digest, col(IdempotencyClaim.claim_id) == claim.claim_id
    )


async def _release(database: Database, claim: Claim) -> None:
    """Free the key after a refusal, so that the caller may try again; a change that was made keeps it."""
    async with unit_of_work(database) as session:
        await session.exec(
            delete(IdempotencyClaim).where(
                col(IdempotencyClaim.claim_id) == claim.claim_id, col(IdempotencyClaim.state) == RUNNING
            )
        )


async def _remember(database: Database, claim: Claim, response: Response, secret: bytes) -> None:
    kept = {name: value for name, value in response.headers.items() if name in ("content-type", "etag", "location")}
    answer = seal(secret, bytes(response.body))
    async with unit_of_work(database) as session:
        await session.exec(_of(claim).values(state=DONE, status=response.status_code, headers=kept, answer=answer))


def _repeated(earlier: IdempotencyClaim, secret: bytes) -> Response:
    body = unseal(secret, earlier.answer or b"")
    headers = {**earlier.headers, "Idempotency-Replayed": "true"}
    return Response(body, status_code=earlier.status or 200, headers=headers)
