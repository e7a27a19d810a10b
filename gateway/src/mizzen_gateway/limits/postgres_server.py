"""How are limits counted in PostgreSQL? By the functions of `limits.sql`, over there, with that server's clock.

A request that comes alone is one call; those that come while it is on its way are decided together in the next
transaction, one by one. So a burst costs transactions by the dozen, not by the thousand.
"""

import asyncio
import contextlib
import hashlib
import secrets
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg  # type: ignore[import-untyped]  # it brings no types
import structlog

from mizzen_gateway.ended_task import ended
from mizzen_gateway.limits.rules import Amounts
from mizzen_gateway.limits.shared_server import (
    REMEDY,
    Credit,
    CreditGrant,
    EpochChangedError,
    Rows,
    Settlement,
    StoreUnreachableError,
    TakeAnswer,
    budget_key,
)

SCHEMA = files("mizzen_gateway.limits").joinpath("limits.sql").read_text()
DIGEST = hashlib.sha256(SCHEMA.encode()).hexdigest()[:16]
CALL_SECONDS = 2.0
"""A server that keeps a call waiting for longer is taken for lost."""
CONNECT_SECONDS = 2.0
LONGEST_PAUSE = 1.0
"""Between two tries to connect, in seconds."""
TIDY_SECONDS = 60.0
TAKEN_AT_ONCE = 64
SETTLED_TOGETHER = 4
"""In one transaction, for which requests that come meanwhile wait."""
CONNECTIONS = 3
"""One decides, one hears of ends, one is for credit: an organization's calls come one after the other anyway."""
OTHER_EPOCH = 3
POSTGRES_PORT = 5432
SCHEMA_LOCK = 5127

TAKE = "SELECT * FROM mizzen_limits.take($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
SETTLE = "SELECT mizzen_limits.settle($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
RENEW = "SELECT mizzen_limits.renew($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
LOOK = "SELECT * FROM mizzen_limits.look($1, $2, $3, $4)"
PUT_CREDIT = "SELECT mizzen_limits.put_credit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"

LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Packed:
    """What is the same in every call about the same rows: an array for each column."""

    keys: list[str]
    types: list[int]
    strict: list[bool]
    amounts: list[float]
    windows: list[float]


class PostgresServer:
    """A `LimitServer` on a few connections."""

    def __init__(self, url: str) -> None:
        """`?pgbouncer=true`: a pooler in transaction mode stands before it."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        self._pooled = options.pop("pgbouncer", "false") == "true"
        self._url = urlunsplit(parts._replace(query=urlencode(options)))
        self._place = {"host": parts.hostname or "", "port": parts.port or POSTGRES_PORT}
        self._pool: ConnectionPool | None = None
        self._why = ""
        """It cannot be used, as the log has it already."""
        self._fresh = secrets.token_hex(8)
        """Epoch to begin, should there be none; never one that was begun before."""
        self._keeping: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self._taking = False
        self._next: deque[tuple[tuple[Any, ...], asyncio.Future[Any]]] = deque()
        """Calls that wait for the one on its way."""
        self._takes: asyncio.Task[None] | None = None
        self._undecided: dict[str, asyncio.Task[Any]] = {}
        """Reservations whose caller has left before the answer."""

    @property
    def reachable(self) -> bool:
        """There are connections."""
        return self._pool is not None

    async def start(self) -> None:
        """Connect and make the schema, at least try once; goes on trying in the background."""
        with contextlib.suppress(StoreUnreachableError):
            await self._connect()
        self._keeping = asyncio.create_task(self._keep(), name="limits store")

    async def close(self) -> None:
        """Hang up."""
        await ended(self._keeping)
        if self._pool is not None:
            self._pool.close()

    async def take(self, rows: Rows, epoch: str, reservation: str, amounts: Amounts, hold_seconds: float) -> TakeAnswer:
        """See `LimitServer`. Those that come while another is on its way go together, in the next transaction."""
        packed = packed_of(rows)
        columns = (packed.keys, packed.types, packed.strict, packed.amounts, packed.windows, units_of(rows, amounts))
        arguments = (rows.organization, epoch, self._fresh, reservation, hold_seconds * 1e6, *columns)
        call = asyncio.create_task(self._decide(arguments))
        call.add_done_callback(_looked_at)
        try:
            record = await asyncio.shield(call)
        except asyncio.CancelledError:
            if reservation and not call.done():
                self._undecided[reservation] = call
                call.add_done_callback(lambda _: self._undecided.pop(reservation, None))
            raise
        status, place, shadowed, levels, current = record
        if status == OTHER_EPOCH:
            raise self._changed(current)
        return TakeAnswer(status, place, tuple(shadowed), tuple(levels))

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """See `LimitServer`; a few in one transaction, which locks organizations in their order."""
        undecided = [self._undecided[one.id] for one in settlements if one.id in self._undecided]
        if undecided:
            await asyncio.wait(undecided)  # whose caller left: first it takes, then it gives back
        calls = []
        for one in sorted(settlements, key=lambda one: one.rows.organization):
            packed = packed_of(one.rows)
            head = (one.rows.organization, one.epoch, self._fresh, one.id)
            columns = (packed.keys, packed.types, packed.amounts, packed.windows)
            calls.append((*head, *columns, units_of(one.rows, one.taken), one.spent()))
        for start in range(0, len(calls), SETTLED_TOGETHER):
            async with self._connection() as connection:
                await connection.executemany(SETTLE, calls[start : start + SETTLED_TOGETHER], timeout=CALL_SECONDS)

    async def renew(self, running: Settlement, hold_seconds: float) -> None:
        """See `LimitServer`."""
        packed, rows = packed_of(running.rows), running.rows
        head = (rows.organization, running.epoch, self._fresh, running.id, hold_seconds * 1e6)
        columns = (packed.keys, packed.types, packed.amounts, packed.windows)
        units = (units_of(rows, running.taken), running.spent())
        (current,) = await self._row(RENEW, *head, *columns, *units)
        if current != running.epoch:
            raise self._changed(current)

    async def look(self, organization: str, budget_id: str, epoch: str) -> Credit:
        """See `LimitServer`."""
        found = await self._row(LOOK, organization, epoch, self._fresh, organized(organization, budget_key(budget_id)))
        current, *fields = found
        if current != epoch:
            raise self._changed(current)
        return Credit(*fields)

    async def grant(self, organization: str, budget_id: str, epoch: str, grant: CreditGrant) -> bool:
        """See `LimitServer`."""
        seen = grant.seen
        since = max(0, grant.charged - seen.charged)
        numbers = (seen.sequence, grant.sequence, grant.credit, since, grant.charged, grant.usable_seconds * 1e6)
        key = organized(organization, budget_key(budget_id))
        (current,) = await self._row(PUT_CREDIT, organization, epoch, self._fresh, key, *numbers, grant.period)
        if current and current != epoch:
            raise self._changed(current)
        return bool(current)

    async def _decide(self, arguments: tuple[Any, ...]) -> Any:
        if self._taking:
            turn: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            self._next.append((arguments, turn))
            return await turn
        self._taking = True
        try:
            return await self._row_to_its_end(TAKE, *arguments)
        finally:
            self._take_next()

    def _take_next(self) -> None:
        """Those who wait, or nobody."""
        if self._next:
            self._takes = asyncio.create_task(self._take_together())
        else:
            self._taking = False

    async def _take_together(self) -> None:
        some = [self._next.popleft() for _ in range(min(TAKEN_AT_ONCE, len(self._next)))]
        some.sort(key=lambda one: one[0][0])
        try:
            async with self._connection() as connection:
                # A list of rows, one for each call, in their order.
                found = await connection.fetchmany(TAKE, [arguments for arguments, _ in some], timeout=CALL_SECONDS)
            for (_, turn), record in zip(some, found, strict=True):
                if not turn.done():
                    turn.set_result(record)
        except StoreUnreachableError as error:
            for _, turn in some:
                if not turn.done():
                    turn.set_exception(StoreUnreachableError(str(error)))
        finally:
            self._take_next()

    def _changed(self, epoch: str) -> EpochChangedError:
        self._fresh = secrets.token_hex(8)
        return EpochChangedError(epoch)

    async def _row(self, statement: str, *arguments: Any) -> Any:
        """A caller who leaves breaks off no call: its connection would be of no use to the next."""
        call = asyncio.create_task(self._row_to_its_end(statement, *arguments))
        call.add_done_callback(_looked_at)
        return await asyncio.shield(call)

    async def _row_to_its_end(self, statement: str, *arguments: Any) -> Any:
        async with self._connection() as connection:
            row = await connection.fetchrow(statement, *arguments, timeout=CALL_SECONDS)
        assert row is not None, "these functions answer one row"
        return row

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        pool = self._pool
        if pool is None:
            raise StoreUnreachableError("no connection")
        connection = None
        try:
            connection = await pool.take()
            if self._pooled:
                # A pooler may give each statement another server: a transaction keeps question and answer together.
                async with connection.transaction():
                    yield connection
            else:
                yield connection
        except LOST as error:
            if connection is not None and (not isinstance(error, asyncpg.PostgresError) or connection.is_closed()):
                self._lose(pool)
            raise StoreUnreachableError(f"{type(error).__name__}: {error}") from error
        finally:
            if connection is not None:
                pool.put(connection)

    def _lose(self, pool: "ConnectionPool") -> None:
        """One connection that fails tells of all."""
        pool.close()
        if self._pool is pool:
            self._pool = None
            self._lost.set()
            log.warning("the store of limits is lost", **self._place)

    async def _connect(self) -> None:
        connections: list[Any] = []
        cached = 0 if self._pooled else 100
        try:
            for _ in range(CONNECTIONS):
                connection = await asyncpg.connect(self._url, timeout=CONNECT_SECONDS, statement_cache_size=cached)
                connections.append(connection)
            await make_schema(connections[0])
        except (*LOST, ValueError) as error:
            for connection in connections:
                connection.terminate()
            why = f"{type(error).__name__}: {str(error) or f'no answer within {CONNECT_SECONDS:g} s'}"
            if why != self._why:
                self._why = why
                log.warning("the store of limits cannot be used", **self._place, error=why, remedy=REMEDY)
            raise StoreUnreachableError(str(error)) from error
        self._pool = ConnectionPool(connections)
        self._lost.clear()
        self._why = ""
        log.info("the store of limits is there", **self._place)

    async def _keep(self) -> None:
        """Connect where there is none; forget what has drained."""
        pause = 0.05
        while True:
            try:
                if self._pool is None:
                    await self._connect()
                else:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(TIDY_SECONDS):
                            await self._lost.wait()
                    await self._row("SELECT mizzen_limits.tidy()")
                pause = 0.05
            except StoreUnreachableError:
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, 2 * pause)


def _looked_at(call: "asyncio.Task[Any]") -> None:
    """Whether it failed is for those who still wait."""
    if not call.cancelled():
        call.exception()


async def make_schema(connection: Any) -> None:
    """Make or renew the functions, unless they are as this release has them."""
    async with connection.transaction():
        await connection.execute(f"SELECT pg_advisory_xact_lock({SCHEMA_LOCK})")
        found = await connection.fetchval(
            "SELECT obj_description(to_regnamespace('mizzen_limits')::oid, 'pg_namespace')"
        )
        if found != DIGEST:
            await connection.execute(SCHEMA)
            await connection.execute(f"COMMENT ON SCHEMA mizzen_limits IS '{DIGEST}'")


class ConnectionPool:
    """Connections that nobody uses, and those who wait for one: what a call needs of a pool, and no more."""

    def __init__(self, connections: list[Any]) -> None:
        self._all = connections
        self._idle = list(connections)
        self._closed = False
        self._waiting: deque[asyncio.Future[Any]] = deque()

    async def take(self) -> Any:
        """A connection, within `CALL_SECONDS`; raises TimeoutError or OSError."""
        if self._closed:
            raise ConnectionResetError("the store of limits is lost")
        if self._idle:
            return self._idle.pop()
        turn: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        async with asyncio.timeout(CALL_SECONDS):
            return await turn

    def put(self, connection: Any) -> None:
        """Give it to the next, or keep it."""
        if self._closed:
            return
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        self._idle.append(connection)

    def close(self) -> None:
        """Hang up, and tell those who wait."""
        self._closed = True
        for connection in self._all:
            connection.terminate()
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(ConnectionResetError("the store of limits is lost"))


def packed_of(rows: Rows) -> Packed:
    """The part that is the same each time, made once."""
    packed: Packed | None = rows.packed
    if packed is None:
        packed = rows.packed = Packed(
            [organized(rows.organization, row.key) for row in rows.rows],
            [row.type for row in rows.rows],
            [row.strict for row in rows.rows],
            [float(row.amount) for row in rows.rows],
            [float(row.window_us) for row in rows.rows],
        )
    return packed


def units_of(rows: Rows, amounts: Amounts) -> list[float]:
    """As the functions take them."""
    return [float(units) for units in rows.units(amounts)]


def organized(organization: str, key: str) -> str:
    """Unique in the database."""
    return f"{organization}:{key}"
