"""Twenty thousand requests while each process is killed once: on the simulated engine, and on real Triton."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import doubling_model
from support.installation import Installation
from support.killed_processes import EVERY_PROCESS, Killer, booked_rows, figures, kill_each, mistakes
from support.metered_load import MeteredLoad, Question, chat

REQUESTS = 20_000
REPLICAS = 2


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path)
    made.up()
    yield made
    made.close()


async def hold_against_the_ledger(installation: Installation, deployment: str, *questions: Question) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    source = random.Random(seed)
    key = installation.api("POST", "keys", json={"name": "caller"}).json()["secret"]
    installation.wait(lambda: len(installation.ready_pods(deployment)) == REPLICAS, "two pods", 240.0)
    load = MeteredLoad(installation.context.gateway_url, key, questions, source)
    order = source.sample(EVERY_PROCESS, len(EVERY_PROCESS))
    kills = await kill_each(Killer(installation, deployment, REPLICAS), load, REQUESTS, order)
    rows = booked_rows(installation, load)
    print(figures(load, rows, kills))
    assert not mistakes(load, rows, kills)
    assert installation.down()
    assert not installation.processes()


async def test_twenty_thousand_chats(installation: Installation) -> None:
    installation.deploy("chat", "--decode-ms=10", replicas=REPLICAS)
    await hold_against_the_ledger(installation, "chat", chat("chat", stream=False), chat("chat", stream=True))


async def test_twenty_thousand_inferences_on_triton(installation: Installation) -> None:
    doubling_model.push_version(installation, "champion", "one")
    doubling_model.deploy(installation, "champion", replicas=REPLICAS)
    await hold_against_the_ledger(installation, doubling_model.MODEL, doubling_model.question())
