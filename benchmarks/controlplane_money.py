"""How many usage events a second does the ledger take, and how soon are a quarter of a year and a month's draft told?

Ten million events are rolled up by a generator: what questions and drafts read are roll-ups alone, so their number
is what counts. A further row has ten times as many groups, as of a hundred million events of ten times the callers.
"""

import asyncio
import gc
import random
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from controlplane_stage import Stage
from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.invoices.service import invoice_of
from mizzen_controlplane.kit.columns import UtcDateTime
from mizzen_controlplane.kit.database import unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.metering import ledger
from mizzen_controlplane.metering.meters import Sums
from mizzen_controlplane.metering.models import UsageRollup
from mizzen_controlplane.metering.repository import add_to_rollups
from mizzen_controlplane.metering.rollups import Group, rollup_rows
from mizzen_controlplane.metering.service import UsageAsked, usage_of
from mizzen_controlplane.metering.usage import Bucket
from mizzen_controlplane.pricing.models import RateCard, RateCardVersion
from mizzen_crds.periods import QUARTER, month_of
from mizzen_crds.usage import UsageBatch, UsageEvent
from result_file import Result, median_of
from sqlalchemy import String, Table, bindparam, func, insert, select

BATCH: Final = 1_000
SENDERS: Final = 4
MODELS: Final = 4
KEYS: Final = 5
DAYS: Final = 90
QUESTIONS: Final = 100
VERSION: Final = "rcv_bench_money"
GROUPINGS: Final = ((), ("model",), ("key",), ("model", "key"))


async def rows(stage: Stage) -> list[Result]:
    """All of one database."""
    events, rolled_up, wider = (8_000, 100_000, 2) if stage.quick else (200_000, 10_000_000, 10)
    with stage.control_plane() as process:
        with process.client("gateway") as gateway:
            snapshot = gateway.get("/internal/v1/access/snapshot").json()
        async with stage.inside(process, snapshot["organization_id"], snapshot["currency"]) as plane:
            found = await taken(stage, plane, snapshot["projects"][0]["id"], events)
            found += await read(stage, plane, "large", rolled_up, KEYS)
            found += await read(stage, plane, "wide", rolled_up * wider, KEYS * wider, extrapolated=True)
    return found


async def taken(stage: Stage, plane: Plane, project_id: str, count: int) -> list[Result]:
    """Rows a second: batches of a gateway's size, as they are parsed, four senders at once."""
    rates, parsed = list[float](), list[float]()
    for turn in range(stage.rounds):
        bodies = [
            UsageBatch(events=list(events_of(plane, project_id, f"{turn}-{at}", stage.seed + at))).model_dump_json()
            for at in range(count // BATCH)
        ]
        began = time.perf_counter()
        batches = [UsageBatch.model_validate_json(body).events for body in bodies]
        parsed.append(1e6 * (time.perf_counter() - began) / count)
        waiting = iter(batches)
        gc.freeze()  # what waits here is not of the control plane's making, nor for its collector to look through
        began = time.perf_counter()
        accepted = await asyncio.gather(*(send(plane, waiting) for _ in range(SENDERS)))
        rates.append(count / (time.perf_counter() - began))
        gc.unfreeze()
        assert sum(accepted) == count
        again = await ledger.take(plane, batches[0])
        assert (again.accepted, again.duplicates) == (0, BATCH)
    goal = 20_000.0 if stage.kind == "SQLite" else 50_000.0
    return [
        median_of(stage.named("usage events into the ledger"), rates, "rows/s", goal=goal, comparison=">="),
        median_of(stage.named("usage events: parsed, each"), parsed, "us"),
    ]


async def send(plane: Plane, waiting: Iterator[list[UsageEvent]]) -> int:
    """One sender: the next batch once the one before is in; returns how many were new."""
    return sum([(await ledger.take(plane, batch)).accepted for batch in waiting])


def events_of(plane: Plane, project_id: str, name: str, seed: int) -> Iterator[UsageEvent]:
    """A batch as gateways send it: requests of one minute, of 20 keys and models."""
    source = random.Random(seed)
    start = datetime(2026, 10, 1, 12, tzinfo=UTC) + timedelta(minutes=seed % 1000)
    for number in range(BATCH):
        tokens = source.randint(20, 4_000)
        yield UsageEvent(
            project_id=project_id, request_id=f"req_{name}_{number:06}", key_id=f"key_{source.randrange(KEYS)}",
            model=f"model-{source.randrange(MODELS)}", deployment="chat", revision="chat-1",
            operation="chat.completions", started_at=start + timedelta(milliseconds=60 * number), duration_ms=812.5,
            ttft_ms=91.25, status=200, answered=True, input_tokens=tokens, cached_tokens=tokens // 2,
            output_tokens=tokens // 4, accelerator_ms=700, cost_pico=tokens * 150_000, currency=plane.currency,
            rate_card_id=VERSION, gateway="gateway-1",
        )  # fmt: skip


async def read(
    stage: Stage, plane: Plane, name: str, count: int, keys: int, *, extrapolated: bool = False
) -> list[Result]:
    """A project of so many events over 90 days: questions of them all, and a draft that holds all of them."""
    of = f"{count // 1_000_000 or count / 1e6} M events, {keys * MODELS} groups"
    end = month_of(datetime.now(UTC), "UTC").start
    await fill(plane, name, count, keys, end)
    asked = UsageAsked(end - timedelta(days=DAYS), end, Bucket.DAY, ())
    waited = list[float]()
    for number in range(QUESTIONS):
        question = replace(asked, group_by=GROUPINGS[number % len(GROUPINGS)])
        began = time.perf_counter()
        found = await usage_of(plane, name, question)
        waited.append(1000 * (time.perf_counter() - began))
        assert sum(item.sums.requests for item in found.sums) == per_group(count, keys) * DAYS * 96 * keys * MODELS
    drafted = list[float]()
    for _ in range(stage.rounds):
        began = time.perf_counter()
        draft = await invoice_of(plane, name, f"{end - timedelta(days=1):%Y-%m}")
        drafted.append(time.perf_counter() - began)
        assert sum(line.count for line in draft.document.lines if line.kind == "requests") > 0
    p99 = statistics.quantiles(waited, n=100)[98]
    shown = [round(one, 2) for one in waited]
    goals = (None, None) if extrapolated else (100.0, 2.0)
    return [
        Result(stage.named(f"usage of {DAYS} days by day, {of}, p99"), round(p99, 2), "ms", goals[0], samples=shown),
        Result(stage.named(f"usage of {DAYS} days by day, {of}, p50"), round(statistics.median(waited), 2), "ms"),
        median_of(stage.named(f"draft of a month, {of}"), drafted, "s", goal=goals[1]),
    ]


def per_group(count: int, keys: int) -> int:
    """Requests of each group in each quarter-hour."""
    return max(1, count // (DAYS * 96 * keys * MODELS))


async def fill(plane: Plane, name: str, count: int, keys: int, end: datetime) -> None:
    """Roll-ups of 90 days before `end`, each quarter-hour as the first, and a price."""
    async with unit_of_work(plane.database) as session:
        session.add(Project(id=f"prj_{name}", name=name, organization_id=plane.organization_id, namespace=name))
        if await session.get(RateCardVersion, VERSION) is None:
            session.add(RateCard(id="rc_bench_money", name="bench-money"))
            await session.flush()
            prices: list[dict[str, Any]] = [{"model": "*", "pico_per_input_token": 150_000}]
            card: dict[str, Any] = {"rate_card_id": "rc_bench_money", "prices": prices}
            session.add(RateCardVersion(id=VERSION, effective_from=end, created_at=end, **card))
    each = per_group(count, keys)
    sums = Sums(each, 500 * each, 500 * each, 250 * each, 0, 700 * each, 0, 75_000_000 * each)
    first = end - timedelta(days=DAYS)
    groups = {
        Group(
            first, f"prj_{name}", f"key_{key}", f"model-{model}", "chat.completions", 2, estimated=False,
            rate_card_id=VERSION, budget_ids="", billed=True,
        ): sums
        for key in range(keys)
        for model in range(MODELS)
    }  # fmt: skip
    table: Table = UsageRollup.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
    columns: dict[str, Any] = {column.name: column for column in table.columns}
    chosen: dict[str, Any] = columns | {
        "id": func.substr(columns["id"], 1, 24).concat(bindparam("suffix", type_=String())),
        "quarter": bindparam("at", type_=UtcDateTime()),
    }
    copied = insert(table).from_select(
        list(chosen), select(*chosen.values()).where(table.c.project_id == f"prj_{name}", table.c.quarter == first)
    )
    async with unit_of_work(plane.database) as session:
        await add_to_rollups(session, rollup_rows(groups))
        later = [{"suffix": f"-{number}", "at": first + number * QUARTER} for number in range(1, DAYS * 96)]
        await (await session.connection()).execute(copied, later)
    await analyzed(plane)


async def analyzed(plane: Plane) -> None:
    """As a database is that has run for a while."""
    async with plane.database.write_engine.connect() as connection:
        await connection.exec_driver_sql("ANALYZE")
        await connection.commit()
