"""Every point of the way from a request to the ledger at which a process may die, and what must be true afterwards."""

import asyncio
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from mizzen_controlplane.kit.database import open_database
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.secret_folder import SecretFolder
from mizzen_controlplane.kit.settings import Settings
from mizzen_controlplane.metering.drift import ledger_drift
from mizzen_controlplane.models.content.opening import open_content
from mizzen_crds.periods import EPOCH
from support.controlplane import ControlPlane
from support.killed_at import VARIABLE
from support.metered_load import MeteredLoad, chat
from support.postgres import KillablePostgres
from support.scripted_engine import Exchange, chunk, completion, scripted_engine
from support.serving import Serving
from support.until import until

CLIENTS: Final = 12
DECODE_SECONDS: Final = 0.05
"""What the engine takes for an answer, so that requests are under way at a kill and the machine is not at its end."""
TESTS: Final = str(Path(__file__).parents[1])
_BOTH: Final = ("before", "after")
_SPOOL: Final = "mizzen_gateway.metering.spool:"
_LEDGER: Final = "mizzen_controlplane.metering."


COLUMNS: Final = (
    "request_id", "started_at", "interrupted", "estimated", "input_tokens", "output_tokens", "cost_pico",
)  # fmt: skip


@dataclass(frozen=True)
class Point:
    """Where a process dies."""

    victim: str
    """gateway, controlplane or postgres."""
    place: str
    """`module:function`, of the gateway; of the control plane for the other two."""
    moment: str
    calls: int = 40
    """It dies at one of the first so many calls."""

    def __str__(self) -> str:
        return f"{self.victim} {self.moment} {self.place.rpartition(':')[2]}"


def _points(victim: str, moments: Iterable[str], *places: str, calls: int = 40) -> list[Point]:
    return [Point(victim, place, moment, calls) for place in places for moment in moments]


_OF_THE_LEDGER: Final = (
    _LEDGER + "repository:known_projects",
    _LEDGER + "repository:insert_new",
    _LEDGER + "repository:add_to_rollups",
    _LEDGER + "ledger:charge",
    _LEDGER + "ledger:take",
)
"""The transaction begins; rows, roll-ups and budgets are written; it is committed."""
LEASE: Final = "mizzen_controlplane.budgets.credit:lease"
POINTS: Final = (
    *_points(
        "gateway",
        _BOTH,
        _SPOOL + "Spool.intend",
        _SPOOL + "Spool.book",
        "mizzen_gateway.engine.connection:EngineConnection.exchange",
        "mizzen_gateway.wire.response:Responder.start",
        "mizzen_gateway.wire.response:Responder.send",
        _SPOOL + "Spool.settle",
        _SPOOL + "Spool._append",
    ),
    *_points("gateway", ["torn"], _SPOOL + "Spool._append"),
    *_points(
        "gateway",
        _BOTH,
        _SPOOL + "Spool._begin_segment",
        "mizzen_gateway.metering.ledger:LedgerClient.ship",
        _SPOOL + "Spool.advance",
        "mizzen_gateway.metering.segments:SegmentFolder.save_cursor",
        "mizzen_gateway.metering.segments:SegmentFolder.remove",
        calls=2,
    ),
    *_points("gateway", _BOTH, "mizzen_gateway.metering.ledger:LedgerClient.lease", calls=1),
    *_points("gateway", _BOTH, _SPOOL + "read_leftovers", _SPOOL + "Spool.__init__", calls=1),
    *_points("controlplane", _BOTH, *_OF_THE_LEDGER, calls=4),
    *_points("controlplane", _BOTH, LEASE, calls=1),
    *_points("postgres", _BOTH, *_OF_THE_LEDGER, calls=4),
    *_points("postgres", _BOTH, LEASE, calls=1),
)


@dataclass
class Matrix:
    """An installation that loses processes under load."""

    stack: Serving
    load: MeteredLoad
    source: random.Random
    postgres: KillablePostgres | None = None
    kills: list[tuple[Point, float, float]] = field(default_factory=list)
    """Each with the times between which it happened."""

    async def kill_at(self, point: Point) -> None:
        """Start the program with the point armed, and wait until somebody is dead; load runs all the while."""
        victim = 0
        if point.victim == "postgres":
            assert self.postgres is not None
            victim = self.postgres.process.pid
        armed = {VARIABLE: f"{point.place}|{point.moment}|{self.source.randint(1, point.calls)}|{victim}"}
        began = time.time()
        if point.victim == "gateway":
            self._restart_gateway(armed)
        else:
            self._restart_controlplane(armed)
            if not self._gateway_runs or point.place == LEASE:
                self._restart_gateway({})  # one that has no credit asks for it
        try:
            await until(lambda: self._dead(point), 240)
        except TimeoutError:
            print(point, armed, self.load.statuses, self.stack.plane.log[-3000:], self.stack.log[-3000:], sep="\n")
            raise
        self.kills.append((point, began, time.time()))
        print(f"{self.kills[-1][2] - began:5.1f} s  {point}", flush=True)
        if point.victim == "postgres":
            assert self.postgres is not None
            await asyncio.to_thread(self.postgres.start)

    async def heal(self) -> None:
        """Everything runs again, unarmed, and requests are answered."""
        if not self._gateway_runs:
            await self.stack.start(PYTHONPATH=TESTS)
        process = self.stack.plane.process
        if process is None or process.poll() is not None:
            await asyncio.to_thread(self._restart_controlplane, {}, wait=True)
        before = len(self.load.answered)
        await until(lambda: len(self.load.answered) > before + CLIENTS, 120)

    @property
    def _gateway_runs(self) -> bool:
        return self.stack.process is not None and self.stack.process.poll() is None

    def _restart_gateway(self, armed: dict[str, str]) -> None:
        self.stack.end(signal.SIGKILL)
        self.stack.launch(PYTHONPATH=TESTS, **armed)

    def _restart_controlplane(self, armed: dict[str, str], *, wait: bool = False) -> None:
        plane = self.stack.plane
        plane.kill()
        plane.environment = {"PYTHONPATH": TESTS, **armed}
        plane.start() if wait else plane.launch()

    def _dead(self, point: Point) -> bool:
        if point.victim == "postgres":
            assert self.postgres is not None
            return self.postgres.process.poll() is not None
        process = self.stack.process if point.victim == "gateway" else self.stack.plane.process
        assert process is not None
        return process.poll() is not None

    async def booked_rows(self) -> list[dict[str, Any]]:
        """All rows, once every answered request has one; whatever is there where one of them gets none."""
        rows: list[dict[str, Any]] = []

        def booked() -> bool:
            rows[:] = self._rows()
            return self.load.answered <= {row["request_id"] for row in rows}

        with suppress(TimeoutError):
            await until(booked, 600)  # what gathered while the ledger was away takes its time
        return rows

    def _rows(self) -> list[dict[str, Any]]:
        """As they lie in the database: there are too many for pages."""
        statement = f"SELECT {', '.join(COLUMNS)} FROM ledger_entry"
        url = self.stack.plane.database_url
        if self.postgres is not None:
            text = self.postgres.server.execute(statement, url.rpartition("/")[2])
            found: list[Any] = [line.split("|") for line in text.splitlines()]
        else:
            with closing(sqlite3.connect(url.partition("///")[2])) as database:
                found = database.execute(statement).fetchall()
        return [_row(values) for values in found]

    def mistakes(self, rows: Sequence[dict[str, Any]]) -> list[str]:
        """What the ledger got wrong, in sentences."""
        counts = Counter(row["request_id"] for row in rows)
        found = [f"{name} has {count} rows" for name, count in counts.items() if count > 1]
        found += [f"{name} was answered and has no row" for name in self.load.answered if name not in counts]
        for row in rows:
            used = (row["input_tokens"], row["output_tokens"], row["cost_pico"])
            if row["interrupted"] and any(used) and row["estimated"]:
                found.append(f"{row['request_id']} was interrupted, and is charged what nobody reported: {row}")
            if row["request_id"] not in self.load.answered and not row["interrupted"] and row["estimated"]:
                found.append(f"{row['request_id']} was not answered, and is charged what nobody reported: {row}")
        surplus = Counter(self._kill_before(row) for row in rows if row["request_id"] not in self.load.answered)
        found += [f"{count} surplus rows at {name}" for name, count in surplus.items() if count > CLIENTS]
        return found

    def _kill_before(self, row: dict[str, Any]) -> str:
        """The kill that the request was under way at, or that its answer was lost by."""
        began = datetime.fromisoformat(row["started_at"])
        began_at = began.replace(tzinfo=began.tzinfo or UTC).timestamp()
        return next(
            (f"{number}: {each[0]}" for number, each in enumerate(self.kills) if began_at <= each[2]), "no kill"
        )

    async def drift(self) -> dict[str, int]:
        """What the control plane exports as `mizzen_ledger_drift`, as it is now."""
        plane = self.stack.plane
        settings = Settings(plane.database_url, plane.data_dir, plane.secrets_dir)
        database = open_database(plane.database_url)
        try:
            inside = Plane(settings, SecretFolder(b"", b"", {}), database, "", "", open_content(settings))
            return await ledger_drift(inside, EPOCH)
        finally:
            await database.close()

    def figures(self, rows: Sequence[dict[str, Any]], drift: dict[str, int]) -> str:
        """What happened, in one line."""
        interrupted = sum(row["interrupted"] for row in rows)
        surplus = sum(row["request_id"] not in self.load.answered for row in rows)
        return (
            f"{len(self.kills)} points tried; {self.load.sent} requests, {len(self.load.answered)} answered, "
            f"{len(rows)} rows, {surplus} surplus, {interrupted} interrupted; drift {sum(map(abs, drift.values())):g}"
        )


def _row(values: Sequence[Any]) -> dict[str, Any]:
    row: dict[str, Any] = dict(zip(COLUMNS, values, strict=True))
    row |= {name: row[name] in (1, "t") for name in ("interrupted", "estimated")}
    return row | {name: int(row[name]) for name in COLUMNS[4:]}


async def _answers(exchange: Exchange) -> None:
    model = exchange.document["model"]
    await asyncio.sleep(DECODE_SECONDS)
    if not exchange.document.get("stream"):
        await exchange.send_json(completion(model))
        return
    await exchange.start_events()
    await exchange.event(chunk(model, "one"))
    await exchange.event(chunk(model, None))
    await exchange.event(b"[DONE]")
    await exchange.end_events()


@asynccontextmanager
async def matrix(
    folder: Path, database_url: str, seed: int, postgres: KillablePostgres | None = None
) -> AsyncIterator[Matrix]:
    """An installation with prices and a budget, and callers who ask; ended with the block."""
    plane = ControlPlane(
        folder / "plane", database_url, environment={"PYTHONPATH": TESTS},
        program=("support.killed_at", "mizzen_controlplane"),
    )  # fmt: skip
    stack = Serving(plane, folder, program=("support.killed_at", "mizzen_gateway"))
    async with scripted_engine(_answers) as engine:
        try:
            await asyncio.to_thread(plane.start)
            key = stack.new_key()
            stack.make("rate-cards", name="list", prices=[{"model": "*", "per_million_input_tokens": "1"}])
            stack.make("projects/default/budgets", name="month", amount="100.00")
            stack.serve("chat", engine.address)
            await stack.start(PYTHONPATH=TESTS)
            questions = (chat("chat", stream=False), chat("chat", stream=True))
            source = random.Random(seed)
            load = MeteredLoad(stack.url, key, questions, random.Random(seed + 1), CLIENTS, pause=0.5)
            yield Matrix(stack, load, source, postgres)
        finally:
            stack.end(signal.SIGKILL)
            plane.kill()


async def try_points(made: Matrix, points: Iterable[Point]) -> str:
    """Kill at each point in turn; returns the figures. Raises AssertionError where the ledger is wrong."""
    async with made.load.running():
        for point in points:
            await made.kill_at(point)
        await made.heal()
    rows = await made.booked_rows()
    drift = await made.drift()
    assert not any(drift.values()), drift
    found = made.mistakes(rows)
    assert not found, "\n".join(found[:20])
    return made.figures(rows, drift)
