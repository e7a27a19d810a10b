"""Has this ID token begun a session before? What it is known by is kept until it is over."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import orjson
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.sign_in import repository
from mizzen_controlplane.sign_in.openid.claims import LEEWAY_SECONDS


async def use_once(session: AsyncSession, token: str, now: datetime) -> bool:
    """Whether a verified token is used for the first time."""
    signed = token.rpartition(".")[0]
    body = signed.partition(".")[2]
    ends = orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["exp"]
    until = datetime.fromtimestamp(min(ends, now.timestamp() + 366 * 86_400), UTC) + timedelta(seconds=LEEWAY_SECONDS)
    return await repository.use_once(session, hashlib.sha256(signed.encode()).hexdigest(), until, now)
