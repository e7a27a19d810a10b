"""Has this ID token begun a session before? Its digest is kept until the token is over."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import orjson
from sqlalchemy import delete
from sqlmodel import Field, SQLModel, col
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.kit.columns import UtcDateTime
from mizzen_controlplane.kit.upsert import insert_into
from mizzen_controlplane.sign_in.openid.claims import LEEWAY_SECONDS


class UsedIdToken(SQLModel, table=True):
    """A token that began a session."""

    __tablename__ = "used_id_token"

    digest: str = Field(primary_key=True, max_length=64)
    """SHA-256 of what is signed: a signature can be written in more than one way."""
    until: datetime = Field(sa_type=UtcDateTime, index=True)
    """It says so itself."""


async def use_once(session: AsyncSession, token: str, now: datetime) -> bool:
    """Whether a verified token is used for the first time."""
    signed = token.rpartition(".")[0]
    body = signed.partition(".")[2]
    ends = orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["exp"]
    until = datetime.fromtimestamp(min(ends, now.timestamp() + 366 * 86_400), UTC) + timedelta(seconds=LEEWAY_SECONDS)
    await session.execute(delete(UsedIdToken).where(col(UsedIdToken.until) < now))
    row = {"digest": hashlib.sha256(signed.encode()).hexdigest(), "until": until}
    insertion = insert_into(session, UsedIdToken).values(**row).on_conflict_do_nothing()
    return bool((await session.execute(insertion.returning(col(UsedIdToken.digest)))).first())
