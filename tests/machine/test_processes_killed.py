"""Processes of an installation are killed under load: the ledger has what callers received, and no more.

The gateway and two others by chance; `tests/long/test_every_process_killed.py` kills each, among 20,000 requests.
"""

import random
from pathlib import Path

from support.installation import Installation
from support.killed_processes import EVERY_PROCESS, Killer, booked_rows, figures, kill_each, mistakes
from support.metered_load import MeteredLoad, chat

REQUESTS = 600
REPLICAS = 2
CALLERS = 24
ALWAYS = "gateway"
OTHERS = 2


async def test_every_answer_has_one_row_though_processes_were_killed(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    source = random.Random(seed)
    installation = Installation(tmp_path)
    try:
        installation.up()
        installation.deploy("chat", "--decode-ms=20", replicas=REPLICAS)
        key = installation.api("POST", "keys", json={"name": "caller"}).json()["secret"]
        installation.wait(lambda: len(installation.ready_pods("chat")) == REPLICAS, "two pods")
        questions = (chat("chat", stream=False), chat("chat", stream=True))
        load = MeteredLoad(installation.context.gateway_url, key, questions, source, CALLERS)
        others = source.sample([name for name in EVERY_PROCESS if name != ALWAYS], OTHERS)
        order = source.sample([ALWAYS, *others], OTHERS + 1)
        kills = await kill_each(Killer(installation, "chat", REPLICAS), load, REQUESTS, order)
        rows = booked_rows(installation, load)
        print(figures(load, rows, kills))
        assert not mistakes(load, rows, kills)
        assert installation.down()
        assert not installation.processes()
    finally:
        installation.close()
