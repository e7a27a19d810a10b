"""SQL of service accounts and their tokens."""

from datetime import datetime

from sqlalchemy import delete, update
from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from mizzen_controlplane.service_accounts.models import ServiceAccount, ServiceAccountToken


def accounts_of(project_id: str) -> SelectOfScalar[ServiceAccount]:
    """All service accounts of the project, for a page."""
    return select(ServiceAccount).where(ServiceAccount.project_id == project_id)


async def find_account(
    session: AsyncSession, project_id: str, id_or_name: str, *, lock: bool = False
) -> ServiceAccount | None:
    """A service account of the project by id or name."""
    named = or_(ServiceAccount.id == id_or_name, ServiceAccount.name == id_or_name)
    statement = accounts_of(project_id).where(named)
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


async def account_by_id(session: AsyncSession, account_id: str) -> ServiceAccount | None:
    """A service account of any project."""
    return await session.get(ServiceAccount, account_id)


async def delete_tokens_of(session: AsyncSession, account_id: str) -> None:
    """Remove all tokens of an account."""
    await session.exec(delete(ServiceAccountToken).where(col(ServiceAccountToken.account_id) == account_id))


def tokens_of(account_id: str) -> SelectOfScalar[ServiceAccountToken]:
    """All tokens of the account, for a page."""
    return select(ServiceAccountToken).where(ServiceAccountToken.account_id == account_id)


async def find_token(
    session: AsyncSession, account_id: str, id_or_name: str, *, lock: bool = False
) -> ServiceAccountToken | None:
    """A token of the account by id or name."""
    named = or_(ServiceAccountToken.id == id_or_name, ServiceAccountToken.name == id_or_name)
    statement = tokens_of(account_id).where(named)
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


async def token_by_digest(session: AsyncSession, digest: str) -> tuple[ServiceAccountToken, ServiceAccount] | None:
    """The token whose secret, or the one before, has this digest; and whose it is."""
    either = or_(ServiceAccountToken.digest == digest, ServiceAccountToken.previous_digest == digest)
    statement = (
        select(ServiceAccountToken, ServiceAccount)
        .join(ServiceAccount, col(ServiceAccount.id) == col(ServiceAccountToken.account_id))
        .where(either)
    )
    found = (await session.exec(statement)).one_or_none()
    return (found[0], found[1]) if found is not None else None


async def mark_used(session: AsyncSession, token_id: str, now: datetime) -> None:
    """The token was used now."""
    await session.exec(update(ServiceAccountToken).where(col(ServiceAccountToken.id) == token_id).values(used_at=now))
