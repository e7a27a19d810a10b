"""Of two processes one writes at a time: through kill -9, SIGSTOP and clocks that are wrong."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mizzen_kube.lease import TERM
from support.cluster import lease_writer
from support.cluster.cluster import Cluster
from support.cluster.fault_proxy import FaultProxy
from support.cluster.faults import Fault, Rule
from support.cluster.objects import Objects, wait_until
from support.cluster.process import Process

QUICK = "6,1,2,0.5"
DEFAULT = f"{TERM.duration},{TERM.renew},{TERM.margin},{TERM.look}"
TAKEOVER_SECONDS = 20.0
Start = Callable[..., Process]


@pytest.fixture
def start(server: Cluster, objects: Objects, tmp_path: Path) -> Iterator[Start]:
    """Start a writer by its name; all are killed in the end."""
    running: list[Process] = []

    def started(name: str, term: str = QUICK, wall: float = 0.0, kubeconfig: Path | None = None) -> Process:
        settings = [str(kubeconfig or server.kubeconfig), objects.namespace, name, term, str(wall)]
        process = Process(name, [sys.executable, str(Path(lease_writer.__file__)), *settings], tmp_path / name)
        running.append(process)
        process.start()
        return process

    yield started
    for process in running:
        process.kill()


def said(process: Process, word: str) -> int:
    """How often it said so."""
    lines = process.log.read_text().splitlines() if process.log.exists() else []
    return sum(line.startswith(word) for line in lines)


def wait_for(process: Process, word: str, times: int = 1, seconds: float = 30.0) -> None:
    wait_until(lambda: said(process, word) >= times, seconds, process.last_lines)


def written(objects: Objects, name: str) -> list[int]:
    """The revisions of etcd at which a writer's objects were made, in order."""
    return sorted(made(objects, name).values())


def made(objects: Objects, name: str) -> dict[str, int]:
    """The revision of etcd at which each of a writer's objects was made."""
    every: list[dict[str, Any]] = objects.list("ConfigMap", labels=f"{lease_writer.LABEL}={name}")
    return {each["metadata"]["name"]: int(each["metadata"]["resourceVersion"]) for each in every}


def under_way(process: Process) -> str:
    """The object that a frozen writer may have passed its fence with, and not sent: the one after its last line."""
    lines = [line.split() for line in process.log.read_text().splitlines()]
    tried = [int(line[1]) for line in lines if line and line[0] in ("wrote", "fenced", "failed")]
    return f"{process.name}-{tried[-1] + 1}"


def holder(objects: Objects) -> str:
    lease = objects.get("Lease", "leader")
    return lease["spec"]["holderIdentity"].partition("_")[0] if lease else ""


def first_and_second(start: Start, term: str = QUICK, **second: Any) -> tuple[Process, Process]:
    """One that holds and writes, and one that waits."""
    first = start("first", term)
    wait_for(first, "wrote")
    rival = start("second", term, **second)
    wait_for(rival, "starts")
    return first, rival


def test_with_the_defaults_a_killed_holder_is_followed_within_20_seconds(start: Start, objects: Objects) -> None:
    first, second = first_and_second(start, DEFAULT)
    wait_for(first, "wrote", said(first, "wrote") + 50)
    assert said(second, "wrote") == 0
    began = time.monotonic()
    first.kill()
    wait_for(second, "wrote")
    assert time.monotonic() - began <= TAKEOVER_SECONDS
    assert written(objects, "first")[-1] < written(objects, "second")[0]


@pytest.mark.parametrize("times", range(3))
def test_a_holder_stopped_past_its_lease_writes_nothing_when_it_wakes(
    start: Start, objects: Objects, times: int
) -> None:
    first, second = first_and_second(start)
    first.pause()
    late = under_way(first)
    wait_for(second, "wrote")
    asked = said(first, "fenced")
    first.resume()
    wait_for(second, "wrote", said(second, "wrote") + 20)
    wait_until(lambda: holder(objects) == "second", 5, "the lease is not the second's")
    assert said(first, "fenced") > asked, "it never tried; the test proves nothing"
    taken = written(objects, "second")[0]
    assert {name for name, at in made(objects, "first").items() if at > taken} <= {late}


@pytest.mark.parametrize("wall", [-3600.0, 3600.0], ids=["an hour back", "an hour ahead"])
def test_a_rival_whose_clock_is_wrong_neither_takes_early_nor_never(
    start: Start, objects: Objects, wall: float
) -> None:
    first, second = first_and_second(start, wall=wall)
    until = time.monotonic() + 8.0  # longer than the lease lasts
    wait_until(lambda: time.monotonic() > until, 20, "time stands still")
    assert said(second, "wrote") == 0
    assert holder(objects) == "first"
    first.kill()
    wait_for(second, "wrote")
    assert written(objects, "first")[-1] < written(objects, "second")[0]


def test_a_holder_cut_off_from_the_server_stops_before_the_rival_writes(
    start: Start, server: Cluster, objects: Objects, proxy: FaultProxy
) -> None:
    first = start("first", kubeconfig=server.kubeconfig_of("admin", server=proxy.server))
    wait_for(first, "wrote", 5)
    second = start("second")
    proxy.add(Rule(Fault.ANSWER, lambda each: each.resource == "leases", status=503))
    wait_for(second, "wrote")
    assert written(objects, "first")[-1] < written(objects, "second")[0]


def test_a_lease_that_somebody_deletes_is_made_again_and_never_held_twice(
    start: Start, server: Cluster, objects: Objects, proxy: FaultProxy
) -> None:
    first, second = first_and_second(start, kubeconfig=server.kubeconfig_of("admin", server=proxy.server))
    wait_until(lambda: any(each.status == 200 for each in proxy.requests), 10, "the second has not seen the lease")
    for _ in range(3):
        objects.delete("Lease", "leader")
        wait_until(lambda: holder(objects), 10, "nobody made the lease again")
    wait_for(first, "wrote", said(first, "wrote") + 20)
    assert said(second, "wrote") == 0
    assert holder(objects) == "first"


async def test_a_released_lease_is_taken_at_once(server: Cluster, objects: Objects) -> None:
    from mizzen_kube.api import open_api
    from mizzen_kube.kubeconfig import from_kubeconfig
    from mizzen_kube.lease import Lease

    async with open_api(await from_kubeconfig(str(server.kubeconfig))) as api:
        first, second = (Lease(api, objects.namespace, "leader", name) for name in ("first", "second"))
        at_work = asyncio.create_task(first.run())
        await first.wait_held()
        waiting = asyncio.create_task(second.run())
        at_work.cancel()
        await first.release()
        assert not first.held()
        async with asyncio.timeout(TERM.duration / 2):
            await second.wait_held()
        lease = await asyncio.to_thread(objects.get, "Lease", "leader")
        assert lease["spec"]["leaseTransitions"] == 2
        waiting.cancel()
