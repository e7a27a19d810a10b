"""How does a PostgreSQL that is away, silent or out of connections show? As an OperationalError, within seconds.

SQLAlchemy passes on as they are the errors of the network and those of connecting, which no handler of database errors
would know; and a server that says nothing, as behind a cut cable, would be waited for without end.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]  # it ships no types
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.util import await_only

ANSWERS_WITHIN: Final = 5.0
"""Seconds for a connection to be made, or to answer when it is taken from the pool."""
DRIVER: Final = "postgresql+mizzen_asyncpg"
registry.register("postgresql.mizzen_asyncpg", __name__, "ToldPostgres")


class ToldPostgres(PGDialect_asyncpg):
    """asyncpg's dialect, whose every failure is one of a database."""

    supports_statement_cache = True

    def connect(self, *arguments: Any, **options: Any) -> Any:
        """A connection; raises the DBAPI's OperationalError."""
        with self._told():
            return super().connect(*arguments, **options)

    def do_ping(self, dbapi_connection: Any) -> bool:
        """Whether it answers: one round trip, without a transaction."""
        with self._told():
            await_only(dbapi_connection.driver_connection.execute("SELECT 1", timeout=ANSWERS_WITHIN))
        return True

    def do_execute(self, cursor: Any, statement: Any, parameters: Any, context: Any = None) -> None:
        """One statement."""
        with self._told():
            super().do_execute(cursor, statement, parameters, context)  # type: ignore[no-untyped-call]  # it has no types

    def do_executemany(self, cursor: Any, statement: Any, parameters: Any, context: Any = None) -> None:
        """One statement with many rows."""
        with self._told():
            super().do_executemany(cursor, statement, parameters, context)  # type: ignore[no-untyped-call]  # it has no types

    def do_commit(self, dbapi_connection: Any) -> None:
        """The end of a transaction."""
        with self._told():
            super().do_commit(dbapi_connection)  # type: ignore[no-untyped-call]  # it has no types

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Its other end."""
        with self._told():
            super().do_rollback(dbapi_connection)  # type: ignore[no-untyped-call]  # it has no types

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        """Whether the connection is of no use any more."""
        gone = super().is_disconnect(e, connection, cursor)  # type: ignore[no-untyped-call]  # it has no types
        return isinstance(e.__cause__, OSError) or bool(gone)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:  # TimeoutError is an OSError
            said = f"{type(error).__name__}: {error}"
            raise self.loaded_dbapi.OperationalError(said, error) from error
