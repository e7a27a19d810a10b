"""Whose session is this? Asked with every request that comes with a cookie, or with a session's token."""

from datetime import timedelta
from typing import Final

from fastapi import Request

from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.cookie_session import session_cookie
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Unauthorized
from mizzen_controlplane.kit.subject import Subject
from mizzen_controlplane.sign_in.models import SignInSession
from mizzen_controlplane.sign_in.repository import mark_used, session_by_digest
from mizzen_controlplane.sign_in.session_secret import PREFIX
from mizzen_controlplane.sign_in.sessions import Kind, digest_of, is_over, subject_of

USE_IS_WRITTEN_EVERY: Final = timedelta(seconds=60)
"""Or a tenth of the idle time, where that is shorter; else each read would be a write."""


async def recognize(plane: Plane, request: Request) -> Subject | None:
    """The person who is signed in; None for a request without a session. Raises Unauthorized for one that is over."""
    cookie = session_cookie(request)
    secret, kind = (cookie, Kind.BROWSER) if cookie else (bearer_token(request), Kind.COMMAND_LINE)
    if not secret.startswith(PREFIX):
        return None
    async with reading(plane.database) as session:
        known = await session_by_digest(session, digest_of(secret), kind)
    if known is None or known[1].disabled or is_over(known[0], plane.settings, utc_now()):
        raise Unauthorized(
            "The session has ended. Sign in again.",
            code="session_ended",
            headers={"WWW-Authenticate": 'Bearer realm="mizzen"'},
        )
    found, person = known
    await _used(plane, found)
    return subject_of(person, found.id)


def bearer_token(request: Request) -> str:
    """The token of the Authorization header; empty for another scheme, or none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def _used(plane: Plane, found: SignInSession) -> None:
    now = utc_now()
    tenth = timedelta(seconds=plane.settings.session_idle_seconds / 10)
    if now - found.used_at >= min(USE_IS_WRITTEN_EVERY, tenth):
        async with unit_of_work(plane.database) as session:
            await mark_used(session, found.id, now)
