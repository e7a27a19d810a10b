"""Each process of an installation, killed once while callers ask; and what the ledger must say afterwards."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mizzen_cli.local.lifecycle import status
from mizzen_cli.local.process_identity import ProcessIdentity
from mizzen_cli.local.supervisor_state import read_state
from support.installation import Installation
from support.metered_load import MeteredLoad
from support.until import until

EVERY_PROCESS = ("supervisor", "controlplane", "gateway", "runner", "shim", "engine")


@dataclass(frozen=True)
class Kill:
    """One process, gone at once."""

    process: str
    at: float
    """Just before the signal, in seconds since the epoch."""
    signalled: float
    """Just after it: on a busy machine requests begin between the two."""
    healed: float
    """When all was as before."""


@dataclass(frozen=True)
class Killer:
    """Kills, and waits until all is as before."""

    installation: Installation
    deployment: str
    replicas: int

    def kill(self, process: str) -> Kill:
        """`kill -9` of one process."""
        victim = self._victim(process)
        at = time.time()
        assert victim.signal(signal.SIGKILL)
        signalled = time.time()
        try:
            self.installation.wait(lambda: self._healed(process, victim), f"{process} back", 60.0)
        except AssertionError:
            ready = self.installation.condition(self.deployment, "Ready")
            print(ready, *self.installation.pods(self.deployment), sep="\n")
            raise
        return Kill(process, at, signalled, time.time())

    def _victim(self, process: str) -> ProcessIdentity:
        state = read_state(self.installation.folder)
        if process in ("shim", "engine"):
            pod = self.installation.ready_pods(self.deployment)[0].state
            assert pod
            victim = pod.shim_identity if process == "shim" else pod.container("engine").identity
        else:
            victim = state.supervisor if process == "supervisor" else state.program(process).process
        assert victim
        return victim

    def _healed(self, process: str, victim: ProcessIdentity) -> bool:
        if victim.alive:
            return False
        if process == "supervisor":
            self.installation.up()
        pods = self.installation.ready_pods(self.deployment)
        seen = status(self.installation.options.data_dir)
        return len(pods) == self.replicas and seen is not None and seen.supervised and seen.ready


async def kill_each(killer: Killer, load: MeteredLoad, requests: int, processes: Sequence[str]) -> list[Kill]:
    """Kill the processes in order, spread over about `requests` requests of the load."""
    kills = []
    async with load.running():
        for number, process in enumerate(processes):
            goal = requests * (number + 1) // (len(processes) + 1)
            await until(lambda goal=goal: len(load.answered) >= goal, 300)
            kills.append(await asyncio.to_thread(killer.kill, process))
            before = len(load.answered)
            await until(lambda before=before: len(load.answered) > before, 60)
        await until(lambda: len(load.answered) >= requests, 600)
    return kills


def all_rows(installation: Installation) -> list[dict[str, Any]]:
    """Every request in the ledger."""
    rows: list[dict[str, Any]] = []
    token = ""
    while True:
        asked = {"page_size": "500", **({"page_token": token} if token else {})}
        answer = installation.api("GET", "requests", params=asked)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        rows += page["items"]
        token = page.get("next_page_token") or ""
        if not token:
            return rows


def booked_rows(installation: Installation, load: MeteredLoad) -> list[dict[str, Any]]:
    """All rows, once every answered request has one."""
    rows: list[dict[str, Any]] = []

    def booked() -> bool:
        rows[:] = all_rows(installation)
        return load.answered <= {row["id"] for row in rows}

    installation.wait(booked, "a row for every answered request", 60.0)
    return rows


def mistakes(load: MeteredLoad, rows: Sequence[dict[str, Any]], kills: Sequence[Kill]) -> list[str]:
    """What the ledger got wrong, in sentences; empty when it is right."""
    found = []
    counts = Counter(row["id"] for row in rows)
    found += [f"{name} has {count} rows" for name, count in counts.items() if count > 1]
    found += [f"{name} was answered and has no row" for name in load.answered if name not in counts]
    others = [row for row in rows if row["id"] not in load.answered]
    found += [f"{row['id']} has a row, no answer, and is not flagged: {row}" for row in others if not row["estimated"]]
    at_kill: Counter[str] = Counter()
    for row in others:
        kill = kill_that_met(row, load, kills)
        if kill is None:
            found.append(f"{row['id']} has a row, no answer, and was not under way at a kill: {row}")
        else:
            at_kill[kill.process] += 1
    found += [f"{count} rows at the kill of {name}" for name, count in at_kill.items() if count > load.connections]
    return found


def kill_that_met(row: dict[str, Any], load: MeteredLoad, kills: Sequence[Kill]) -> Kill | None:
    """The kill that a row without an answer was under way at: between the sending of such a request and its failure."""
    began = datetime.fromisoformat(row["started_at"]).timestamp()
    lost = [each for each in load.unanswered if each.sent <= began <= each.failed]
    return next(
        (kill for kill in kills if any(began <= kill.signalled and kill.at <= each.failed for each in lost)), None
    )


def figures(load: MeteredLoad, rows: Sequence[dict[str, Any]], kills: Sequence[Kill]) -> str:
    """What happened, in one line."""
    others = sum(row["id"] not in load.answered for row in rows)
    estimated = sum(row["estimated"] for row in rows)
    return (
        f"{load.sent} requests, {len(load.answered)} answered {dict(load.statuses)}, {load.torn} torn, "
        f"{len(load.unanswered)} unanswered; {len(rows)} rows, {others} without an answer, {estimated} estimated; "
        f"killed {', '.join(f'{kill.process} (healed in {kill.healed - kill.at:.1f} s)' for kill in kills)}"
    )
