"""How a row is inserted unless it is there: ON CONFLICT, which SQLite and PostgreSQL spell alike."""

from typing import cast

from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession


def insert_into(session: AsyncSession, model: type[SQLModel]) -> Insert:
    """An INSERT of the session's dialect, with `on_conflict_do_nothing` and `on_conflict_do_update`."""
    table = model.__table__  # type: ignore[attr-defined]  # SQLModel does not declare what SQLAlchemy adds
    if session.get_bind().dialect.name == "postgresql":
        return postgresql_insert(table)
    return cast(Insert, sqlite_insert(table))
