"""How Alembic reaches the database: through the connection that schema.upgrade hands it."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlmodel import SQLModel

from mizzen_controlplane.kit.columns import UtcDateTime


def portable(kind: str, column_type: Any, _context: AutogenContext) -> str | Literal[False]:
    """Write our own column types as the plain ones that they stand for."""
    if kind == "type" and isinstance(column_type, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and type(column_type).__name__ == "AutoString":
        return f"sa.String(length={column_type.length})" if column_type.length else "sa.String()"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    render_item=portable,
    compare_type=True,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=False,
)
# The transaction is schema.upgrade's: all migrations and the version number are in one.
context.run_migrations()
