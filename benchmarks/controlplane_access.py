"""How long does access take to reach gateways, at 100,000 keys and 1,000 priced models? And keys made per second."""

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from controlplane_stage import Stage
from mizzen_controlplane.access.feed_text import FeedTexts
from mizzen_controlplane.identity.models import ApiKey
from mizzen_controlplane.kit.changes import next_access_version
from mizzen_controlplane.kit.database import unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.pricing.models import RateCard, RateCardVersion
from mizzen_crds.access_signature import signing_key
from mizzen_gateway.discovery.access_building import with_delta
from mizzen_gateway.discovery.access_copy import AccessCopy
from mizzen_gateway.discovery.access_lines import read_line
from result_file import Result, median_of
from sqlalchemy import insert
from support.controlplane import ControlPlane
from support.free_ports import free_port

GATEWAYS = 8
CALLERS = 8
ROWS_AT_ONCE = 1_000


async def rows(stage: Stage) -> list[Result]:
    """All of one database."""
    keys, models, revoked = (2_000, 50, 5) if stage.quick else (100_000, 1_000, 50)
    with stage.control_plane() as process:
        with process.client("gateway") as gateway:
            snapshot = gateway.get("/internal/v1/access/snapshot").json()
        owner, project = snapshot["organization_id"], snapshot["projects"][0]
        async with stage.inside(process, owner) as plane:
            await fill(plane, project["id"], keys, models)
            found = await snapshots(stage, plane, keys, models)
        found.append(await creations(stage, process, project["name"]))
        found += await revocations(stage, process, project["name"], revoked)
    return found


async def fill(plane: Plane, project_id: str, keys: int, models: int) -> None:
    """Keys, of which a tenth are confined to models, and a price for each model."""
    now = datetime.now(UTC)
    made = [key_row(number, project_id, now, models) for number in range(keys)]
    prices = [{"model": f"model-{number}", "pico_per_input_token": 150_000 + number} for number in range(models)]
    for at in range(0, keys, ROWS_AT_ONCE):
        async with unit_of_work(plane.database) as session:
            await (await session.connection()).execute(insert(ApiKey), made[at : at + ROWS_AT_ONCE])
    async with unit_of_work(plane.database) as session:
        session.add(RateCard(id="rc_bench", name="bench"))
        await session.flush()
        session.add(
            RateCardVersion(
                id="rcv_bench",
                rate_card_id="rc_bench",
                effective_from=now - timedelta(days=1),
                created_at=now,
                prices=prices,
            )
        )
        await next_access_version(session)


def key_row(number: int, project_id: str, now: datetime, models: int) -> dict[str, Any]:
    """As a key is stored."""
    letters = "".join(chr(ord("a") + number // 26**place % 26) for place in range(20))
    return {
        "id": f"key_{letters}",
        "name": f"bench-{number}",
        "project_id": project_id,
        "digest": f"{number:064x}",
        "models": [f"model-{number % models}", f"model-{(number + 1) % models}"] if number % 10 == 0 else None,
        "created_at": now,
        "updated_at": now,
        "revision": 1,
        "labels": {},
        "priority": "standard",
        "created_by": "benchmark",
    }


async def snapshots(stage: Stage, plane: Plane, keys: int, models: int) -> list[Result]:
    """Build, size and load of a whole snapshot; a delta of one key, made and taken up."""
    build, load, delta, taken = list[float](), list[float](), list[float](), list[float]()
    key, line, change = signing_key(plane.secrets.pepper), b"", b""
    for turn in range(stage.rounds):
        texts = FeedTexts(plane)  # which has nothing yet
        began = time.perf_counter()
        version, line = await texts.whole()
        build.append(time.perf_counter() - began)
        file = stage.folder / "access.json"
        file.write_bytes(line)
        began = time.perf_counter()
        loaded = AccessCopy(file, key).load()
        load.append(time.perf_counter() - began)
        assert loaded is not None
        index = loaded[0]
        assert (index.version, len(index.keys), len(index.prices)) == (version, keys, models)
        async with unit_of_work(plane.database) as session:
            changed = await session.get(ApiKey, key_row(turn, "", datetime.now(UTC), 1)["id"])
            assert changed is not None
            changed.models = [f"turn-{turn}"]
            await next_access_version(session, changed.id)
        began = time.perf_counter()
        told = await texts.since(version)
        delta.append(1000 * (time.perf_counter() - began))
        assert told is not None
        change = told[1]
        began = time.perf_counter()
        read = next_of(change)
        assert read is not None
        assert read.delta is not None
        after = with_delta(index, read.delta)
        taken.append(1000 * (time.perf_counter() - began))
        assert after.keys[changed.id].caller.models == frozenset({f"turn-{turn}"})
    at = f"{keys} keys, {models} models"
    return [
        median_of(stage.named(f"snapshot of {at}: build"), build, "s", goal=2.0),
        Result(stage.named(f"snapshot of {at}: size"), len(line) / 1e6, "MB", goal=25.0),
        median_of(stage.named(f"snapshot of {at}: load"), load, "s", goal=1.0),
        median_of(stage.named("delta of one key among them: build"), delta, "ms", goal=10.0),
        median_of(stage.named("delta of one key among them: taken up"), taken, "ms", goal=10.0),
        Result(stage.named("delta of one key among them: size"), len(change), "bytes"),
    ]


def next_of(line: bytes) -> Any:
    """The line as a gateway reads it."""
    steps = read_line([line], None)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


async def creations(stage: Stage, process: ControlPlane, project: str) -> Result:
    """Keys made per second over HTTP, by eight callers at once, one control plane."""
    count, samples = 20 if stage.quick else 250, list[float]()
    headers = {"Authorization": f"Bearer {process.tokens['admin']}"}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def make(turn: int, caller: int) -> None:
            for number in range(count // CALLERS):
                body = {"name": f"made-{turn}-{caller}-{number}"}
                async with session.post(f"{process.url}/api/v1/projects/{project}/keys", json=body) as answer:
                    assert answer.status == 201, await answer.text()

        for turn in range(stage.rounds):
            began = time.perf_counter()
            await asyncio.gather(*(make(turn, caller) for caller in range(CALLERS)))
            samples.append(count // CALLERS * CALLERS / (time.perf_counter() - began))
    return median_of(stage.named("keys made, one process"), samples, "1/s")


@contextmanager
def fleet(process: ControlPlane, folder: Path) -> Iterator[list[str]]:
    """Gateways that follow it, each a process of its own; where they listen."""
    with ExitStack() as stack:
        yield [stack.enter_context(one_gateway(process, folder / f"gateway-{number}")) for number in range(GATEWAYS)]


@contextmanager
def one_gateway(process: ControlPlane, folder: Path) -> Iterator[str]:
    """One of them."""
    port = free_port()
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MIZZEN_")},
        "MIZZEN_CONTROLPLANE_URL": process.url,
        "MIZZEN_TOKEN_FILE": str(process.secrets_dir / "gateway"),
        "MIZZEN_PEPPER_FILE": str(process.secrets_dir / "pepper"),
        "MIZZEN_DATA_DIR": str(folder),
        "MIZZEN_PORT": str(port),
        "MIZZEN_ADMIN_PORT": str(free_port()),
        "MIZZEN_GATEWAY_NAME": folder.name,
    }
    with Path(f"{folder}.log").open("ab") as log:
        gateway = subprocess.Popen([sys.executable, "-m", "mizzen_gateway"], env=variables, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        gateway.terminate()
        gateway.wait(30)


async def revocations(stage: Stage, process: ControlPlane, project: str, count: int) -> list[Result]:
    """From the answer to a revocation to the refusal by each of eight gateways, over HTTP."""
    waited: list[float] = []
    url = f"{process.url}/api/v1/projects/{project}/keys"
    headers = {"Authorization": f"Bearer {process.tokens['admin']}"}
    async with aiohttp.ClientSession() as session:
        with fleet(process, stage.folder) as gateways:
            for number in range(count):
                async with session.post(url, json={"name": f"gone-{number}"}, headers=headers) as answer:
                    made = await answer.json()
                for gateway in gateways:
                    await answers(session, gateway, made["secret"], 200)
                async with session.post(f"{url}/{made['id']}:revoke", headers=headers) as answer:
                    assert answer.status == 200
                began = time.perf_counter()
                turns = (answers(session, gateway, made["secret"], 401) for gateway in gateways)
                waited += [ended - began for ended in await asyncio.gather(*turns)]
    p99 = statistics.quantiles(waited, n=100)[98]
    name = f"revoked -> refused by each of {GATEWAYS} gateways"
    return [
        Result(stage.named(f"{name}, p99"), round(p99, 4), "s", goal=1.0, samples=[round(one, 4) for one in waited]),
        Result(stage.named(f"{name}, p50"), round(statistics.median(waited), 4), "s"),
    ]


async def answers(session: aiohttp.ClientSession, gateway: str, secret: str, status: int) -> float:
    """When this gateway answers a call with this key so; raises TimeoutError."""
    asked = {"Authorization": f"Bearer {secret}"}
    async with asyncio.timeout(180):
        while True:
            try:
                async with session.get(f"{gateway}/v1/models", headers=asked) as answer:
                    if answer.status == status:
                        return time.perf_counter()
            except aiohttp.ClientConnectionError:
                pass  # it starts
            await asyncio.sleep(0.005)
