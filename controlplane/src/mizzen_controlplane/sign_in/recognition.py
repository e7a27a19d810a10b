"""Whose session is this? Asked with every request that comes with a cookie, or with a session's token."""

from datetime import timedelta
from typing import Final

from fastapi import Request

from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.cookie_session import bearer_token, session_cookie
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.subject import Subject
from mizzen_controlplane.sign_in.models import SignInSession
from mizzen_controlplane.sign_in.openid.confirmation import confirmed, ended
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
        raise ended()
    found, person = known
    person = await confirmed(plane, found, person, secret)
    if person.disabled:
        raise ended()
    await _used(plane, found)
    return subject_of(person, found.id)


async def _used(plane: Plane, found: SignInSession) -> None:
    now = utc_now()
    tenth = timedelta(seconds=plane.settings.session_idle_seconds / 10)
    if now - found.used_at >= min(USE_IS_WRITTEN_EVERY, tenth):
        async with unit_of_work(plane.database) as session:
            await mark_used(session, found.id, now)
