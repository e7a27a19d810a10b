"""Each process of an installation is killed once under load: the ledger has what callers received, and no more."""

import random
from pathlib import Path

from support.installation import Installation
from support.killed_processes import EVERY_PROCESS, Killer, booked_rows, figures, kill_each, mistakes
from support.metered_load import MeteredLoad, chat

REQUESTS = 2_000
REPLICAS = 2


async def test_every_answer_has_one_row_though_each_process_was_killed(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    source = random.Random(seed)
    installation = Installation(tmp_path)
    try:
        installation.up()
        installation.deploy("chat", "--decode-ms=40", replicas=REPLICAS)
        key = installation.api("POST", "keys", json={"name": "caller"}).json()["secret"]
        installation.wait(lambda: len(installation.ready_pods("chat")) == REPLICAS, "two pods")
        questions = (chat("chat", stream=False), chat("chat", stream=True))
        load = MeteredLoad(installation.context.gateway_url, key, questions, source)
        order = source.sample(EVERY_PROCESS, len(EVERY_PROCESS))
        kills = await kill_each(Killer(installation, "chat", REPLICAS), load, REQUESTS, order)
        rows = booked_rows(installation, load)
        print(figures(load, rows, kills))
        assert not mistakes(load, rows, kills)
        assert installation.down()
        assert not installation.processes()
    finally:
        installation.close()
