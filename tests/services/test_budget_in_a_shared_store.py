"""Two gateways, a real control plane and a shared store: a budget is spent to its last request across a kill -9."""

import asyncio
import re
import signal
from collections import Counter
from pathlib import Path

import aiohttp
import pytest
from support.controlplane import ControlPlane, sqlite_controlplane
from support.limit_servers import running_valkey
from support.scripted_engine import Exchange, completion, scripted_engine
from support.serving import Serving
from support.until import until

AMOUNT = 0.005
"""A request costs 10 x 10^-6, and holds back more than that while it runs."""


async def answers(exchange: Exchange) -> None:
    await exchange.send_json(completion(exchange.document["model"]))


class Callers:
    """Ask every gateway without pause, and keep what they are told."""

    def __init__(self, gateways: list[Serving], key: str) -> None:
        self.gateways = gateways
        self.key = key
        self.answered: set[str] = set()
        self.codes: Counter[str] = Counter()
        self.message = ""
        self.going = True

    async def run(self) -> None:
        """Until told to stop."""
        async with aiohttp.ClientSession(trust_env=False) as session:
            await asyncio.gather(*(self._caller(session, gateway) for gateway in self.gateways for _ in range(6)))

    async def _caller(self, session: aiohttp.ClientSession, gateway: Serving) -> None:
        body = {"model": "chat", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
        headers = {"authorization": f"Bearer {self.key}"}
        while self.going:
            try:
                async with session.post(f"{gateway.url}/v1/chat/completions", json=body, headers=headers) as response:
                    if response.status == 200:
                        self.answered.add(response.headers["x-request-id"])
                    else:
                        error = (await response.json())["error"]
                        self.codes[error["code"]] += 1
                        self.message = error["message"]
                        await asyncio.sleep(0.02)
                    await response.read()
            except (aiohttp.ClientError, ConnectionError):
                await asyncio.sleep(0.05)


@pytest.mark.timeout(240)
async def test_a_budget_is_spent_to_its_last_request_and_not_beyond_by_two_gateways_across_a_kill(tmp_path: Path):
    with sqlite_controlplane(tmp_path / "plane") as plane, running_valkey() as valkey:
        async with scripted_engine(answers) as engine:
            gateways = []
            for name in ("one", "two"):
                (tmp_path / name).mkdir()
                gateways.append(Serving(plane, tmp_path / name))
            first = gateways[0]
            key = first.new_key()
            first.make("rate-cards", name="list", prices=[{"model": "*", "per_million_input_tokens": "1"}])
            first.make("projects/default/budgets", name="small", amount=str(AMOUNT))
            first.serve("chat", engine.address)
            for name, gateway in zip(("one", "two"), gateways, strict=True):
                await gateway.start(**settings(name, valkey.url))
            callers = Callers(gateways, key)
            asking = asyncio.create_task(callers.run())
            try:
                await until(lambda: len(callers.answered) > 60, 60)
                gateways[1].end(signal.SIGKILL)
                await gateways[1].start(**settings("two", valkey.url))
                await until(lambda: callers.codes["budget_exceeded"] > 50, 60)
                # What the killed one held comes back in time, and is spent as well.
                async with asyncio.timeout(90):
                    while spent_of(plane) <= last_of(callers):  # noqa: ASYNC110 - the ledger tells nobody
                        await asyncio.sleep(0.1)
                callers.codes.clear()
                await until(lambda: callers.codes["budget_exceeded"] > 100, 60)
            finally:
                callers.going = False
                await asking
                for gateway in gateways:
                    gateway.end()
        spent = spent_of(plane)
        print(f"two gateways and a kill -9: {spent} of {AMOUNT} spent, a request is bounded by {bound_of(callers)}")
        assert last_of(callers) < spent <= AMOUNT
        assert set(callers.codes) == {"budget_exceeded"}
        assert {row["id"] for row in first.rows()} >= callers.answered


def spent_of(plane: ControlPlane) -> float:
    """Of the budget, as the ledger has it."""
    with plane.client() as client:
        [budget] = client.get("/api/v1/projects/default/budgets").json()["items"]
    return float(budget["spent"])


def bound_of(callers: Callers) -> float:
    """The most that a request can cost."""
    needed = re.search(r"may cost up to ([0-9.]+) [A-Z]{3}", callers.message)
    assert needed is not None, callers.message
    return float(needed[1])


def last_of(callers: Callers) -> float:
    """From here on no further request fits; of the six at the kill the store may keep what a renewal told alone."""
    return AMOUNT - bound_of(callers) - 6 * 0.00001


def settings(name: str, store: str) -> dict[str, str]:
    """Of a gateway."""
    return {"MIZZEN_GATEWAY_NAME": name, "MIZZEN_LIMITS_STORE": store, "MIZZEN_LIMITS_HOLD_SECONDS": "3"}
