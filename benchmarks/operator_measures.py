"""What does the operator cost? Time of a creation and of a restart, CPU against plain kopf, writes by the audit log.

Each function makes what it needs and leaves nothing; `operator_numbers.py` calls them and says the goals.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bare_loop import bare_loop, children
from mizzen_kube import resources
from operator_stage import (
    CHILD_KINDS,
    QUIET,
    Stage,
    answers,
    cpu_seconds,
    deployment,
    passes,
    status_writes,
    wait,
    wait_idle,
)
from support.cluster.process import Process
from support.running_operator import RunningOperator, operator


@dataclass
class Creation:
    """Samples of many deployments created at once; one number a round."""

    operator_seconds: list[float] = field(default_factory=list)
    bare_seconds: list[float] = field(default_factory=list)
    restart_seconds: list[float] = field(default_factory=list)
    restart_writes: list[float] = field(default_factory=list)
    passes_each: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)


def creation(stage: Stage, count: int, rounds: int) -> Creation:
    """Operator and bare loop in turn; after each of the operator's rounds it is started anew among its objects."""
    found = Creation()
    for _ in range(rounds):
        with operator(stage.cluster, **QUIET) as running:
            began, cpu = time.monotonic(), cpu_seconds(running.process.pid)
            stage.create(count)
            stage.wait_status_writes(running, count)
            found.operator_seconds.append(time.monotonic() - began)
            wait_idle(running.process.pid)
            found.cpu_ms.append((cpu_seconds(running.process.pid) - cpu) * 1000 / count)
            found.passes_each.append(passes(running) / count)
            status = stage.listed(resources.MODEL_DEPLOYMENTS)[0]["status"]
            _check(stage, count)
            _restart(stage, running, count, found)
        stage.wipe()
        found.bare_seconds.append(bare_loop(stage, count, status))
        _check(stage, count)
        stage.wipe()
    return found


def _check(stage: Stage, count: int) -> None:
    """Everything is there that should be."""
    there, wanted = len(stage.listed(*CHILD_KINDS, metadata_only=True)), count * len(children(deployment(0)))
    if there != wanted or stage.settled() != count:
        raise RuntimeError(f"{there} children instead of {wanted}, {stage.settled()} deployments settled of {count}")


def _restart(stage: Stage, running: RunningOperator, count: int, found: Creation) -> None:
    versions = _versions(stage)
    running.process.stop()
    began = time.monotonic()
    running.process.start()
    wait(lambda: answers(running) and passes(running) >= count, 0.1, "a look at everything")
    found.restart_seconds.append(time.monotonic() - began)
    wait_idle(running.process.pid)
    changed = sum(version != versions.get(uid) for uid, version in _versions(stage).items())
    told = sum(running.metric("mizzen_operator_writes_total", kind=kind.kind) for kind in CHILD_KINDS)
    found.restart_writes.append(max(changed, told + status_writes(running)))


def _versions(stage: Stage) -> dict[str, str]:
    every = stage.listed(resources.MODEL_DEPLOYMENTS, *CHILD_KINDS, metadata_only=True)
    return {one["metadata"]["uid"]: one["metadata"]["resourceVersion"] for one in every}


@dataclass
class Costs:
    """CPU of one process for one deployment, in ms; one number a round."""

    operator_ms: list[float] = field(default_factory=list)
    kopf_ms: list[float] = field(default_factory=list)


def costs(stage: Stage, count: int, rounds: int) -> Costs:
    """The operator and the plain kopf operator in turn, each alone with the same deployments."""
    found = Costs()
    for _ in range(rounds):
        with operator(stage.cluster, **QUIET) as running:
            found.operator_ms.append(_cpu_of(stage, running.process, count))
        with kopf_operator(stage) as peer:
            found.kopf_ms.append(_cpu_of(stage, peer, count))
    return found


def _cpu_of(stage: Stage, process: Process, count: int) -> float:
    """CPU from the first create until it has nothing to do any more."""
    wait_idle(process.pid)
    before = cpu_seconds(process.pid)
    stage.create(count)
    stage.wait_settled(count)
    wait_idle(process.pid)
    spent = cpu_seconds(process.pid) - before
    _check(stage, count)
    stage.wipe()
    return spent * 1000 / count


@contextmanager
def kopf_operator(stage: Stage) -> Iterator[Process]:
    """The peer, in a process of its own, once it watches."""
    folder = stage.cluster.folder
    environment = {
        "KUBECONFIG": str(stage.cluster.kubeconfig),
        "HOME": str(folder.path),
        "PYTHONPATH": ":".join(sys.path[:8]),
    }
    peer = Path(__file__).with_name("kopf_peer.py")
    process = Process("kopf peer", [sys.executable, str(peer)], folder.log("kopf-peer"), environment)
    process.start()
    try:
        stage.objects.create(deployment(99_999))
        wait(lambda: stage.settled() >= 1 or not process.runs, 0.2, "the peer's first status")
        if not process.runs:
            raise RuntimeError(process.last_lines())
        stage.wipe()
        yield process
    finally:
        process.kill()


@dataclass
class Writes:
    """Counted in the API server's audit log; without Events and Leases."""

    each: float
    """Until the first settled status, for each deployment."""
    children: int
    """Of each deployment."""
    resync: float
    """While everything was looked at again and again."""
    looks: float
    """Passes meanwhile."""


def writes(stage: Stage, user: str, count: int) -> Writes:
    """Count what the operator, who signs in as `user`, writes. The server must write an audit log."""
    settings: dict[str, Any] = {**QUIET, "resync_seconds": 2}
    with operator(stage.cluster, stage.cluster.kubeconfig_of(user), **settings) as running:
        stage.create(count)
        stage.wait_settled(count)
        wait_looks(running, 2 * count)
        created = written_by(stage, user)
        _check(stage, count)
        looked = passes(running)
        wait_looks(running, 5 * count)
        resync, looks = written_by(stage, user) - created, passes(running) - looked
    stage.wipe()
    return Writes(created / count, len(children(deployment(0))), resync, looks)


def wait_looks(running: RunningOperator, more: int) -> None:
    """Return after so many passes more."""
    before = passes(running)
    wait(lambda: passes(running) >= before + more, 0.2, f"{more} passes")


def written_by(stage: Stage, user: str) -> int:
    """Writes of a user so far."""
    return sum(
        event["user"]["username"] == user
        and event["verb"] in ("create", "update", "patch", "delete", "deletecollection")
        and event["objectRef"]["resource"] not in ("events", "leases", "tokenreviews")
        for event in stage.cluster.audit_events()
    )
