"""Nothing is served unmetered: the gateway is killed, its disk fills, the ledger goes away, under load."""

import asyncio
import random
import re
import resource
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from support.controlplane import ControlPlane, sqlite_controlplane
from support.scripted_engine import Exchange, completion, scripted_engine
from support.serving import Serving
from support.until import until

CLIENTS = 16


@dataclass
class Load:
    """Clients that ask without pause, and what they got."""

    url: str
    key: str
    answered: set[str] = field(default_factory=set)
    """Ids of requests of which a client got the head."""
    statuses: Counter[int] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    message: str = ""
    """Of the newest refusal."""
    broken: int = 0

    async def ask(self, session: aiohttp.ClientSession) -> None:
        """One request; a broken connection is no answer."""
        body = {"model": "chat", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
        headers = {"authorization": f"Bearer {self.key}"}
        try:
            async with session.post(self.url + "/v1/chat/completions", json=body, headers=headers) as response:
                self.statuses[response.status] += 1
                if response.status == 200:
                    self.answered.add(response.headers["x-request-id"])
                else:
                    error = (await response.json())["error"]
                    self.codes[error["code"]] += 1
                    self.message = error["message"]
                await response.read()
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            self.broken += 1
            await asyncio.sleep(0.02)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Load while the block runs."""
        going = True

        async def client() -> None:
            async with aiohttp.ClientSession() as session:
                while going:
                    await self.ask(session)

        tasks = [asyncio.create_task(client()) for _ in range(CLIENTS)]
        try:
            yield
        finally:
            going = False
            await asyncio.gather(*tasks)


async def answers(exchange: Exchange) -> None:
    await exchange.send_json(completion(exchange.document["model"]))


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory):
    """One for all, each of which has a project of its own; who kills it starts it again."""
    with sqlite_controlplane(tmp_path_factory.mktemp("plane")) as running:
        yield running


@asynccontextmanager
async def serving(plane: ControlPlane, folder: Path, **environment: str) -> AsyncIterator[tuple[Serving, Load]]:
    async with scripted_engine(answers) as engine:
        stack = Serving(plane, folder, plane.new_project())
        key = stack.new_key()
        prices = [{"model": "*", "per_million_input_tokens": "1"}]
        stack.make("rate-cards", name=stack.project, project=stack.project, prices=prices)
        stack.serve("chat", engine.address)
        await stack.start(**environment)
        load = Load(stack.url, key)
        try:
            async with aiohttp.ClientSession() as session:
                await until_answered(load, session)
            yield stack, load
        finally:
            stack.end(signal.SIGKILL)


async def until_answered(load: Load, session: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(20):
        while not load.answered:
            await load.ask(session)


async def until_booked(stack: Serving, load: Load) -> list[dict]:
    """All rows, once every answered request is in the ledger."""
    rows: list[dict] = []

    def booked() -> bool:
        rows[:] = stack.rows()
        return load.answered <= {row["id"] for row in rows}

    await until(booked, 20, every=0.2)
    return rows


async def until_acknowledged(stack: Serving, load: Load) -> list[dict]:
    """The same, once the gateway knows it, too."""
    rows = await until_booked(stack, load)
    await until(lambda: stack.metric("mizzen_gateway_spool_oldest_seconds") == 0, 10, every=0.05)
    return rows


async def test_a_killed_gateway_leaves_exactly_one_row_for_every_answer(plane, tmp_path):
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    async with serving(plane, tmp_path) as (stack, load):
        kills = 2
        async with load.running():
            for _ in range(kills):
                goal = len(load.answered) + chance.randrange(50, 150)
                await until(lambda goal=goal: len(load.answered) >= goal, 20)
                stack.end(signal.SIGKILL)
                await stack.start()
        rows = await until_booked(stack, load)
        stack.end()
        rows = stack.rows()
        ids = [row["id"] for row in rows]
        assert len(ids) == len(set(ids))
        unanswered = [row for row in rows if row["id"] not in load.answered]
        assert all(row["interrupted"] for row in unanswered)
        assert len(unanswered) <= kills * CLIENTS
        assert sum(row["estimated"] for row in rows) <= kills * CLIENTS


async def test_while_the_ledger_is_away_requests_flow_and_rows_arrive_once(plane, tmp_path):
    async with serving(plane, tmp_path) as (stack, load):
        async with load.running():
            plane.kill()
            before = len(load.answered)
            await until(lambda: len(load.answered) > before + 200, 20)
            plane.start()
            await until(lambda: len(load.answered) > before + 300, 20)
        assert set(load.statuses) == {200}
        rows = await until_acknowledged(stack, load)
        assert {row["id"] for row in rows} == load.answered
        assert len(rows) == len(load.answered)


async def test_a_full_disk_refuses_requests_and_heals(plane, tmp_path):
    async with serving(plane, tmp_path) as (stack, load):
        assert stack.process is not None
        pid, unlimited = stack.process.pid, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        async with load.running():
            await until(lambda: len(load.answered) > 50, 20)
            # No file may grow: what a full disk is to a program.
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            await until(lambda: load.statuses[503] > 20, 20)
            assert stack.metric("mizzen_gateway_spool_closed") == 1
            resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
            healed = len(load.answered)
            await until(lambda: len(load.answered) > healed + 50, 20)
        assert set(load.statuses) == {200, 503}
        assert set(load.codes) == {"quota_unavailable"}
        rows = await until_booked(stack, load)
        assert not any(row["estimated"] for row in rows)
        # Whose answer was there when its row could not be written got none: that costs nothing.
        unanswered = [row for row in rows if row["id"] not in load.answered]
        assert {(row["status"], float(row["cost"])) for row in unanswered} <= {(503, 0.0)}
        assert len(unanswered) <= CLIENTS
        assert stack.metric("mizzen_gateway_spool_closed") == 0


async def test_a_revoked_key_is_refused_within_a_second(plane, tmp_path):
    async with serving(plane, tmp_path) as (stack, load):
        keys = f"/api/v1/projects/{stack.project}/keys"
        with plane.client() as client:
            [key] = client.get(keys).json()["items"]
            revoked = client.post(f"{keys}/{key['id']}:revoke")
            assert revoked.status_code < 300, revoked.text
        async with aiohttp.ClientSession() as session, asyncio.timeout(1):
            while not load.codes["invalid_api_key"]:
                await load.ask(session)
        assert load.statuses[401] == 1


async def test_a_budget_is_spent_to_its_last_request_and_not_beyond_across_a_kill(plane, tmp_path):
    async with serving(plane, tmp_path) as (stack, load):
        amount = 0.002  # a request costs 7 x 10^-6, and holds back more than that while it runs
        stack.make(f"projects/{stack.project}/budgets", name="small", amount=str(amount))
        async with load.running():
            await until(lambda: len(load.answered) > 60, 20)
            stack.end(signal.SIGKILL)
            await stack.start()
            await until(lambda: load.codes["budget_exceeded"] > 50, 30)
        # What the ledger had taken before the kill, and the gateway sends again, counts twice until it is acknowledged.
        await until_acknowledged(stack, load)
        load.codes.clear()
        async with aiohttp.ClientSession() as session, asyncio.timeout(20):
            while not load.codes["budget_exceeded"]:
                await load.ask(session)
        await until_booked(stack, load)
        stack.end()
        with plane.client() as client:
            [budget] = client.get(f"/api/v1/projects/{stack.project}/budgets").json()["items"]
        needed = re.search(r"may cost up to ([0-9.]+) [A-Z]{3}", load.message)
        assert needed is not None, load.message
        assert amount - float(needed[1]) < float(budget["spent"]) <= amount
        assert set(load.codes) == {"budget_exceeded"}
