"""Long work: one replica does it, another goes on when that one is gone, and it can be cancelled."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict
from mizzen_controlplane.operations.models import Operation
from mizzen_controlplane.operations.running import work_on_next
from mizzen_controlplane.operations.service import begin
from mizzen_controlplane.operations.work import Report, TryLaterError, Work
from support.controlplane import ControlPlane
from support.plane_in_process import plane_of_process

KIND = "tests.count"
CALLER = Subject("admin", frozenset())


@dataclass
class Counted:
    """Work that counts what was begun and tidied; `do` is what it does."""

    do: Callable[[Plane, Report], Awaitable[dict[str, Any]]]
    begun: list[str] = field(default_factory=list)
    tidied: list[str] = field(default_factory=list)
    under_way: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def works(self) -> dict[str, Work]:
        """As a replica knows it."""
        return {KIND: Work(self._run, self._tidy)}

    async def _run(self, plane: Plane, operation: Operation, report: Report) -> dict[str, Any]:
        self.begun.append(operation.id)
        self.under_way.set()
        return await self.do(plane, report)

    async def _tidy(self, _plane: Plane, operation: Operation) -> None:
        self.tidied.append(operation.id)


@pytest.fixture
async def admin(controlplane: ControlPlane) -> AsyncIterator[httpx.AsyncClient]:
    async with controlplane.async_client() as client:
        yield client


@pytest.fixture
async def plane(controlplane: ControlPlane) -> AsyncIterator[Plane]:
    async with plane_of_process(controlplane) as made:
        yield made


async def queued(plane: Plane, project: str) -> str:
    """Queue work of the kind; returns its id."""
    async with unit_of_work(plane.database) as session:
        owner = await project_or_404(session, plane, project)
        return begin(session, CALLER, owner, KIND, "counting", {"to": 3}).id


async def change(plane: Plane, operation: str, **fields: object) -> None:
    async with unit_of_work(plane.database) as session:
        row = await session.get_one(Operation, operation)
        for name, value in fields.items():
            setattr(row, name, value)


async def shown(admin: httpx.AsyncClient, project: str, operation: str) -> dict[str, Any]:
    answer = await admin.get(f"/api/v1/projects/{project}/operations/{operation}")
    return dict(answer.raise_for_status().json())


async def nothing(_plane: Plane, report: Report) -> dict[str, Any]:
    report.stage, report.done_bytes, report.total_bytes = "counting", 3, 3
    return {"counted": 3}


async def for_ever(_plane: Plane, _report: Report) -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


async def test_of_many_replicas_one_does_the_work_once(admin: httpx.AsyncClient, project: str, plane: Plane) -> None:
    operation, counted = await queued(plane, project), Counted(nothing)
    await asyncio.gather(*(work_on_next(plane, counted.works, f"wrk_{number}") for number in range(8)))
    assert counted.begun == counted.tidied == [operation]
    done = await shown(admin, project, operation)
    assert (done["state"], done["result"], done["attempts"]) == ("SUCCEEDED", {"counted": 3}, 1)
    assert done["progress"] == {"stage": "counting", "done_bytes": 3, "total_bytes": 3}


async def test_what_a_dead_replica_held_is_gone_on_with_and_the_dead_one_cannot_write(
    admin: httpx.AsyncClient, project: str, plane: Plane
) -> None:
    woken = asyncio.Event()

    async def write_late(plane: Plane, _report: Report) -> dict[str, Any]:
        await woken.wait()
        async with unit_of_work(plane.database) as session:
            (await project_or_404(session, plane, project)).labels = {"written": "late"}
        return {"by": "the dead"}

    operation, dead, alive = await queued(plane, project), Counted(write_late), Counted(nothing)
    stopped = asyncio.create_task(work_on_next(plane, dead.works, "wrk_dead"))
    await dead.under_way.wait()
    assert not await work_on_next(plane, alive.works, "wrk_alive"), "it is held"
    await change(plane, operation, held_until=utc_now() - timedelta(seconds=1))  # as if it had stood still for long
    assert await work_on_next(plane, alive.works, "wrk_alive")
    woken.set()
    await stopped
    done = await shown(admin, project, operation)
    assert (done["state"], done["result"], done["attempts"]) == ("SUCCEEDED", {"counted": 3}, 2)
    assert (await admin.get(f"/api/v1/projects/{project}")).json()["labels"] == {}


async def test_a_replica_that_stops_lets_another_go_on_at_once(
    admin: httpx.AsyncClient, project: str, plane: Plane
) -> None:
    operation, stopping, other = await queued(plane, project), Counted(for_ever), Counted(nothing)
    task = asyncio.create_task(work_on_next(plane, stopping.works, "wrk_stopping"))
    await stopping.under_way.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert await work_on_next(plane, other.works, "wrk_other")
    assert stopping.tidied == []
    assert (await shown(admin, project, operation))["state"] == "SUCCEEDED"


async def test_a_cancelled_operation_ends_and_is_tidied(admin: httpx.AsyncClient, project: str, plane: Plane) -> None:
    operation, endless = await queued(plane, project), Counted(for_ever)
    task = asyncio.create_task(work_on_next(plane, endless.works, "wrk_1"))
    await endless.under_way.wait()
    url = f"/api/v1/projects/{project}/operations/{operation}"
    assert (await admin.post(f"{url}:cancel", headers={"If-Match": '"another.1"'})).status_code == 412
    asked = await admin.post(f"{url}:cancel")
    assert (asked.status_code, asked.json()["cancel_asked"]) == (200, True)
    await task
    assert endless.tidied == [operation]
    assert (await shown(admin, project, operation))["state"] == "CANCELLED"
    assert (await admin.post(f"{url}:cancel")).json()["state"] == "CANCELLED", "once more changes nothing"
    events = (await admin.get("/api/v1/audit-events", params={"filter": f"resource = {operation}"})).json()["items"]
    assert sorted(event["action"] for event in events) == ["operations.cancel", "operations.create", "operations.end"]


async def test_one_that_was_cancelled_before_it_began_never_begins(
    admin: httpx.AsyncClient, project: str, plane: Plane
) -> None:
    operation, counted = await queued(plane, project), Counted(nothing)
    (await admin.post(f"/api/v1/projects/{project}/operations/{operation}:cancel")).raise_for_status()
    assert await work_on_next(plane, counted.works, "wrk_1")
    assert counted.begun == []
    assert (await shown(admin, project, operation))["state"] == "CANCELLED"


async def test_a_failure_is_told_and_cannot_be_cancelled_any_more(
    admin: httpx.AsyncClient, project: str, plane: Plane
) -> None:
    async def refuse(_plane: Plane, _report: Report) -> dict[str, Any]:
        raise Conflict("Two and two are five.", code="arithmetic")

    operation = await queued(plane, project)
    await work_on_next(plane, Counted(refuse).works, "wrk_1")
    failed = await shown(admin, project, operation)
    assert (failed["state"], failed["code"], failed["reason"]) == ("FAILED", "arithmetic", "Two and two are five.")
    refused = await admin.post(f"/api/v1/projects/{project}/operations/{operation}:cancel")
    assert (refused.status_code, refused.json()["code"]) == (409, "operation_ended")


async def test_what_can_be_done_later_is_tried_again_and_given_up_in_the_end(
    admin: httpx.AsyncClient, project: str, plane: Plane
) -> None:
    async def later(_plane: Plane, _report: Report) -> dict[str, Any]:
        raise TryLaterError("the source is away", timedelta(minutes=5))

    operation, trying = await queued(plane, project), Counted(later)
    assert await work_on_next(plane, trying.works, "wrk_1")
    waiting = await shown(admin, project, operation)
    assert (waiting["state"], waiting["reason"]) == ("QUEUED", "the source is away")
    assert not await work_on_next(plane, trying.works, "wrk_1"), "not before five minutes are over"
    await change(plane, operation, not_before=utc_now(), attempts=9)
    assert await work_on_next(plane, trying.works, "wrk_1")
    given_up = await shown(admin, project, operation)
    assert given_up["state"] == "FAILED"
    assert "Given up after 10 attempts: the source is away" in given_up["reason"]


async def test_an_operation_of_another_project_is_not_there(
    controlplane: ControlPlane, admin: httpx.AsyncClient, project: str, plane: Plane
) -> None:
    operation, other = await queued(plane, project), controlplane.new_project()
    for method, suffix in (("GET", ""), ("POST", ":cancel")):
        refused = await admin.request(method, f"/api/v1/projects/{other}/operations/{operation}{suffix}")
        assert (refused.status_code, refused.json()["code"]) == (404, "operation_not_found")
    assert (await admin.get(f"/api/v1/projects/{other}/operations")).json()["items"] == []
    queue = await admin.get(f"/api/v1/projects/{project}/operations", params={"filter": "state = QUEUED"})
    assert [item["id"] for item in queue.json()["items"]] == [operation]
    await work_on_next(plane, Counted(nothing).works, "wrk_1")
