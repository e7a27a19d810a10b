"""Where do rows go, and what is left of budgets, without a control plane? A database of SQLite in the data folder.

A row is taken once, however often it comes, and what it costs is added to its budgets in the same transaction. The
workers of one gateway share the file; gateways on several machines do not, which is why budgets then are refused.
"""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
from mizzen_crds.access import LeaseGrant
from mizzen_crds.periods import EPOCH, NEVER, QUARTER, Window, quarter_of
from mizzen_crds.usage import RefusedEvent

from mizzen_gateway.limits.leases import LedgerUnreachableError
from mizzen_gateway.metering.recovery import add_costs

LEASE_LIFE = timedelta(seconds=120)
BUSY_SECONDS = 30.0
"""How long another worker's transaction is waited for."""
FILE_NAME = "usage.db"
SCHEMA = """
CREATE TABLE IF NOT EXISTS usage (
    project_id TEXT NOT NULL, request_id TEXT NOT NULL, started_at TEXT NOT NULL, event TEXT NOT NULL,
    PRIMARY KEY (project_id, request_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS usage_by_time ON usage (started_at);
CREATE TABLE IF NOT EXISTS spent (
    budget_id TEXT NOT NULL, quarter INTEGER NOT NULL, amount INTEGER NOT NULL, PRIMARY KEY (budget_id, quarter)
) WITHOUT ROWID;
"""
INSERT = "INSERT OR IGNORE INTO usage VALUES (?, ?, ?, ?)"
SPEND = "INSERT INTO spent VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET amount = amount + excluded.amount"
SPENT = "SELECT amount FROM spent WHERE budget_id = ? AND quarter >= ?"


class LocalLedger:
    """Takes usage, and lends credit of the file's budgets."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError where the folder or what is in it cannot be used."""
        self._file = folder / FILE_NAME
        self._turn = asyncio.Lock()
        self._budgets: dict[str, tuple[int, Window]] = {}
        try:
            self._database = opened(self._file)
            self._database.executescript(SCHEMA)
        except sqlite3.Error as error:
            raise OSError(f"{self._file} cannot be used ({error})") from error

    def take_budgets(self, budgets: Iterable[tuple[str, int, Window]]) -> None:
        """From now on these are the budgets: (id, amount, window)."""
        self._budgets = {budget_id: (amount, window) for budget_id, amount, window in budgets}

    async def ship(self, rows: list[bytes]) -> list[RefusedEvent]:
        """Put rows into the database, for good; none is refused. Raises OSError where it takes nothing now."""
        async with self._turn:
            await asyncio.to_thread(self._ship, rows)
        return []

    async def lease(self, budget_id: str, want_pico: int) -> LeaseGrant:
        """Credit beyond what was spent. Raises LedgerUnreachableError."""
        async with self._turn:
            try:
                return await asyncio.to_thread(self._lease, budget_id, want_pico, datetime.now(UTC))
            except sqlite3.Error as error:
                raise LedgerUnreachableError(budget_id) from error

    async def lease_for(self, _holder: str, budget_id: str, want_pico: int) -> LeaseGrant:
        """The same for a store that gateways share: the file has no budgets then."""
        return await self.lease(budget_id, want_pico)

    async def prune(self, before: datetime) -> None:
        """Remove older rows; what budgets have spent stays."""
        async with self._turn:
            await asyncio.to_thread(self._prune, before)

    def close(self) -> None:
        """Let go."""
        self._database.close()

    def _ship(self, rows: list[bytes]) -> None:
        try:
            with self._database as transaction:
                transaction.execute("BEGIN IMMEDIATE")
                self._book(rows)
        except sqlite3.Error as error:
            raise OSError(f"{self._file} takes no rows ({error})") from error

    def _book(self, rows: list[bytes]) -> None:
        costs: dict[int, Counter[str]] = {}
        for row in rows:
            event = orjson.loads(row)
            key = (event["project_id"], event["request_id"], event["started_at"], row.decode())
            if self._database.execute(INSERT, key).rowcount:
                quarter = _number(datetime.fromisoformat(event["started_at"]))
                add_costs(costs.setdefault(quarter, Counter()), event)
        for quarter, by_budget in costs.items():
            self._database.executemany(SPEND, [(one, quarter, amount) for one, amount in by_budget.items()])

    def _lease(self, budget_id: str, want_pico: int, now: datetime) -> LeaseGrant:
        known = self._budgets.get(budget_id)
        if known is None:  # taken out of the file: nothing is lent any more, and nobody needs to ask again
            return LeaseGrant(
                budget_id=budget_id,
                credit_pico=0,
                remaining_pico=0,
                period_start=EPOCH,
                period_end=NEVER,
                expires_at=now + LEASE_LIFE,
            )
        amount, window = known
        period = window.period_of(now)
        first = _number(period.start)
        spent = sum(row[0] for row in self._database.execute(SPENT, (budget_id, first)))
        available = max(0, amount - spent)
        credit = min(max(0, want_pico), available)
        return LeaseGrant(
            budget_id=budget_id,
            credit_pico=credit,
            remaining_pico=available - credit,
            period_start=period.start,
            period_end=period.end,
            expires_at=min(now + LEASE_LIFE, period.end),
        )

    def _prune(self, before: datetime) -> None:
        try:
            with self._database:
                self._database.execute("DELETE FROM usage WHERE started_at < ?", (before.isoformat(),))
        except sqlite3.Error as error:
            raise OSError(f"{self._file} cannot be pruned ({error})") from error


def _number(moment: datetime) -> int:
    """Of its quarter of an hour, since 1970."""
    return (quarter_of(moment) - EPOCH) // QUARTER


def opened(file: Path) -> sqlite3.Connection:
    """The database, for one thread at a time; durable at each commit."""
    database = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    file.chmod(0o600)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    return database


def events(file: Path, since: datetime | None, until: datetime | None) -> Iterator[dict[str, object]]:
    """Rows of a ledger by time. Raises OSError where there is none that can be read."""
    if not file.is_file():
        raise OSError(f"{file} is not there yet: no gateway has run with this file")
    where = "WHERE started_at >= ? AND started_at < ? ORDER BY started_at, request_id"
    bounds = ("" if since is None else since.isoformat(), "9999" if until is None else until.isoformat())
    try:
        database = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
        for (event,) in database.execute(f"SELECT event FROM usage {where}", bounds):  # noqa: S608 - both are ours
            yield orjson.loads(event)
    except sqlite3.Error as error:
        raise OSError(f"{file} cannot be read ({error})") from error
