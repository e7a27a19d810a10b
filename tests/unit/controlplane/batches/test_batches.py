"""The rules of batches, and how gateways take part in them."""

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mizzen_controlplane.batches import files, service, work
from mizzen_controlplane.batches.files import Owner
from mizzen_controlplane.batches.upkeep import remove_expired, take_batches_on
from mizzen_controlplane.identity import keys
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, NotFound, Problem
from mizzen_crds.kept_batches import (
    BatchCreate,
    BatchLeaseRequest,
    BatchObject,
    BatchOrder,
    BatchResults,
    BatchWork,
    LineResult,
)
from prometheus_client import REGISTRY
from support.kept_files import ADMIN, keeping_plane, kept, new_owner, read

CHAT = "/v1/chat/completions"
GO_ON, STOP, ABORT = BatchOrder(go_on=True), BatchOrder(go_on=False), BatchOrder(go_on=False, abort=True)


def line(number: int) -> bytes:
    body = {"model": "chat", "messages": [{"role": "user", "content": f"a secret {number}"}]}
    return json.dumps({"custom_id": f"c{number}", "method": "POST", "url": CHAT, "body": body}).encode() + b"\n"


async def made(plane: Plane, owner: Owner, *pieces: int, **fields: Any) -> str:
    """A batch of so many lines in each piece, looked at and waiting for a gateway."""
    first, texts = 1, []
    for lines in pieces:
        texts.append(b"".join(line(first + place) for place in range(lines)))
        first += lines
    file = await kept(plane, owner, *texts)
    batch = await service.create(plane, owner, BatchCreate(input_file_id=file.id, endpoint=CHAT, **fields))
    assert batch.status == "validating"
    await take_batches_on(plane, utc_now())
    return batch.id


async def leased(plane: Plane, holder: str = "gw-1", *running: str) -> BatchWork | None:
    return await work.lease(plane, BatchLeaseRequest(holder=holder, running=list(running)))


def results(*numbers: int, good: bool = True) -> list[LineResult]:
    return [LineResult(number=one, good=good, text=f'{{"custom_id": "c{one}", "secret": 1}}') for one in numbers]


async def handed_in(plane: Plane, batch: str, *numbers: int, holder: str = "gw-1", **fields: Any) -> BatchOrder:
    body = BatchResults(holder=holder, results=results(*numbers, good=fields.pop("good", True)), **fields)
    return await work.take_results(plane, batch, body)


async def seen(plane: Plane, owner: Owner, batch: str) -> BatchObject:
    await take_batches_on(plane, utc_now())
    return service.view(await service.get(plane, owner, batch))


async def ids_in(plane: Plane, owner: Owner, file_id: str | None) -> list[str]:
    assert file_id is not None
    return [json.loads(one)["custom_id"] for one in (await read(plane, owner, file_id)).splitlines()]


async def test_a_batch_goes_from_lines_to_files_of_answers_and_errors(tmp_path: Path) -> None:
    async with keeping_plane(tmp_path) as (plane, owner):
        batch = await made(plane, owner, 2, 3, metadata={"run": "7"})
        held = await leased(plane)
        assert held is not None
        assert (held.batch_id, held.key_id, await leased(plane, "gw-2")) == (batch, owner.key_id, None)
        first = await work.open_lines(plane, batch, 0)
        assert ([one.number for one in first.lines], first.more) == ([1, 2], True)
        second = await work.open_lines(plane, batch, first.after)
        assert ([one.number for one in second.lines], second.more) == ([3, 4, 5], False)
        assert json.loads(second.lines[0].text)["custom_id"] == "c3"

        assert await handed_in(plane, batch, 4, 1) == GO_ON
        assert await handed_in(plane, batch, 3, good=False) == GO_ON
        counts = (await seen(plane, owner, batch)).request_counts
        assert (counts.total, counts.completed, counts.failed) == (5, 2, 1)
        assert (await handed_in(plane, batch, 2, 5)).go_on is False

        ended = await seen(plane, owner, batch)
        assert (ended.status, ended.metadata, ended.errors) == ("completed", {"run": "7"}, None)
        assert ended.completed_at is not None
        assert await ids_in(plane, owner, ended.output_file_id) == ["c1", "c2", "c4", "c5"]
        assert await ids_in(plane, owner, ended.error_file_id) == ["c3"]
        answers = await files.get(plane, owner, ended.output_file_id or "")
        assert (answers.purpose, answers.size) == ("batch_output", len(await read(plane, owner, answers.id)))
    with closing(sqlite3.connect(tmp_path / "controlplane.db")) as database:
        assert b"secret" not in b"".join(row[0] for row in database.execute("SELECT sealed FROM batch_line_result"))


async def test_a_line_with_a_result_is_never_given_out_again_and_its_first_result_counts(tmp_path: Path) -> None:
    async with keeping_plane(tmp_path) as (plane, owner):
        batch = await made(plane, owner, 3)
        assert await leased(plane)
        await handed_in(plane, batch, 2)
        await handed_in(plane, batch, 2, good=False)
        assert [one.number for one in (await work.open_lines(plane, batch, 0)).lines] == [1, 3]
        counts = (await seen(plane, owner, batch)).request_counts
        assert (counts.completed, counts.failed) == (1, 0)


async def test_a_restarted_gateway_goes_on_at_once_and_another_one_when_the_lease_is_over(tmp_path: Path) -> None:
    async with keeping_plane(tmp_path) as (plane, owner):
        batch = await made(plane, owner, 2)
        assert await leased(plane)
        assert await leased(plane, "gw-1", batch) is None
        again = await leased(plane)
        assert again is not None
        with closing(sqlite3.connect(tmp_path / "controlplane.db")) as database, database:
            database.execute("UPDATE batch SET held_until = ?", ((utc_now() - timedelta(seconds=1)).isoformat(" "),))
        other = await leased(plane, "gw-2")
        assert other is not None
        assert other.batch_id == batch
        assert await handed_in(plane, batch, 1) == ABORT  # late, but done: it counts
        assert [one.number for one in (await work.open_lines(plane, batch, 0)).lines] == [2]


async def test_a_revoked_key_stops_its_batch_and_each_line_is_accounted_for(tmp_path: Path) -> None:
    async with keeping_plane(tmp_path) as (plane, owner):
        batch = await made(plane, owner, 2, 2)
        assert await leased(plane)
        await keys.revoke(plane, ADMIN, "team-a", owner.key_id, None)
        assert await handed_in(plane, batch, 1) == ABORT
        assert (await seen(plane, owner, batch)).status == "finalizing"  # until the gateway has let go
        await handed_in(plane, batch, release=True)
        ended = await seen(plane, owner, batch)
        assert ended.status == "failed"
        assert ended.errors is not None
        assert [fault.code for fault in ended.errors.data] == ["key_revoked"]
        assert await ids_in(plane, owner, ended.output_file_id) == ["c1"]
        rest = (await read(plane, owner, ended.error_file_id or "")).splitlines()
        assert [json.loads(one)["error"]["code"] for one in rest] == ["key_revoked"] * 3


async def test_a_batch_whose_window_is_over_expires_with_what_was_answered(tmp_path: Path) -> None:
    async with keeping_plane(tmp_path) as (plane, owner):
        batch = await made(plane, owner, 3)
        await take_batches_on(plane, utc_now() + timedelta(hours=24, seconds=1))
        assert await leased(plane) is None
        ended = await seen(plane, owner, batch)
        assert (ended.status, ended.output_file_id) == ("expired", None)
        assert await ids_in(plane, owner, ended.error_file_id) == ["c1", "c2", "c3"]


async def test_a_cancelled_batch_sends_nothing_more_and_waits_for_what_is_under_way(tmp_path: Path) -> None:
    async with keeping_plane(tmp_path) as (plane, owner):
        batch = await made(plane, owner, 3)
        assert await leased(plane)
        assert (await service.cancel(plane, owner, batch)).status == "cancelling"
        assert (await service.cancel(plane, owner, batch)).status == "cancelling"
        assert await handed_in(plane, batch, 2) == STOP
        assert (await seen(plane, owner, batch)).status == "cancelling"
        await handed_in(plane, batch, 3, release=True)
        ended = await seen(plane, owner, batch)
        assert ended.status == "cancelled"
        assert await ids_in(plane, owner, ended.output_file_id) == ["c2", "c3"]
        with pytest.raises(Conflict, match="is cancelled"):
            await service.cancel(plane, owner, batch)


async def test_a_batch_with_a_wrong_line_fails_before_any_is_sent(tmp_path: Path) -> None:
    async with keeping_plane(tmp_path) as (plane, owner):
        file = await kept(plane, owner, line(1) + line(1))
        batch = await service.create(plane, owner, BatchCreate(input_file_id=file.id, endpoint=CHAT))
        ended = await seen(plane, owner, batch.id)
        assert ended.status == "failed"
        assert ended.errors is not None
        assert [(fault.code, fault.line) for fault in ended.errors.data] == [("duplicate_custom_id", 2)]
        assert await leased(plane) is None


async def test_another_tenant_sees_neither_batch_nor_files(tmp_path: Path) -> None:
    async with keeping_plane(tmp_path) as (plane, owner):
        batch = await made(plane, owner, 1)
        assert await leased(plane)
        await handed_in(plane, batch, 1)
        ended = await seen(plane, owner, batch)
        other = await new_owner(plane, "team-b")
        for refused in (
            service.get(plane, other, batch),
            service.cancel(plane, other, batch),
            files.get(plane, other, ended.output_file_id or ""),
            service.create(plane, other, BatchCreate(input_file_id=ended.input_file_id, endpoint=CHAT)),
        ):
            with pytest.raises(NotFound):
                await refused
        assert (await service.listed(plane, other, "", 10)).data == []


async def test_a_file_that_is_read_stays_and_results_go_with_theirs(tmp_path: Path) -> None:
    async with keeping_plane(tmp_path) as (plane, owner):
        batch = await made(plane, owner, 1)
        file_id = (await service.get(plane, owner, batch)).input_file_id
        with pytest.raises(Conflict, match=batch):
            await files.delete(plane, owner, file_id)
        assert await remove_expired(plane, utc_now() + timedelta(days=31)) == 0
        assert await leased(plane)
        await handed_in(plane, batch, 1)
        ended = await seen(plane, owner, batch)
        await files.delete(plane, owner, ended.output_file_id or "")
        assert await remove_expired(plane, utc_now() + timedelta(days=31)) == 1
    with closing(sqlite3.connect(tmp_path / "controlplane.db")) as database:
        assert database.execute("SELECT count(*) FROM batch_line_result").fetchone() == (0,)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"endpoint": "/v1/images/generations"}, "endpoint: must be one of"),
        ({"endpoint": CHAT, "completion_window": "1h"}, "completion_window: must be '24h'"),
        ({"endpoint": CHAT, "metadata": {"x": "y" * 513}}, "metadata"),
        ({"endpoint": CHAT, "output_expires_seconds": 60}, "output_expires_after.seconds: must be from 3600"),
    ],
)
async def test_what_a_batch_cannot_be_is_named(tmp_path: Path, fields: dict[str, Any], named: str) -> None:
    async with keeping_plane(tmp_path) as (plane, owner):
        with pytest.raises(Problem, match=named):
            await service.create(plane, owner, BatchCreate(input_file_id="file_x", **fields))


async def test_a_project_has_no_more_batches_under_way_than_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_UNFINISHED", 1)
    async with keeping_plane(tmp_path) as (plane, owner):
        await made(plane, owner, 1)
        with pytest.raises(Problem, match="cancel it") as refused:
            await made(plane, owner, 1)
        assert refused.value.problem_code == "too_many_batches"


async def test_the_project_of_which_fewest_batches_are_held_comes_first(tmp_path: Path) -> None:
    async with keeping_plane(tmp_path) as (plane, owner):
        first = await made(plane, owner, 1)
        await made(plane, owner, 1)
        other = await made(plane, await new_owner(plane, "team-b"), 1)
        held = [await leased(plane, "gw-1", first), await leased(plane, "gw-2")]
        assert {one.batch_id for one in held if one} != {first}
        assert other in {one.batch_id for one in held if one}


def told(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(name, labels)
    assert value is not None, "it was there before the first one"
    return value


async def test_metrics_count_lines_and_ends_once_and_tell_how_old_what_has_not_ended_is(tmp_path: Path) -> None:
    outcomes, ends = ("completed", "failed", "unsent"), ("completed", "cancelled", "failed")

    def lines_and_ends() -> list[float]:
        return [
            *(told("mizzen_batch_lines_total", outcome=one) for one in outcomes),
            *(told("mizzen_batches_ended_total", status=one) for one in ends),
        ]

    async with keeping_plane(tmp_path) as (plane, owner):
        before = lines_and_ends()
        whole, cancelled = await made(plane, owner, 3), await made(plane, owner, 4)
        await take_batches_on(plane, utc_now() + timedelta(hours=2))
        assert (told("mizzen_batches", status="in_progress"), told("mizzen_batches", status="finalizing")) == (2, 0)
        assert 7200 <= told("mizzen_batch_oldest_seconds") < 7300
        await handed_in(plane, whole, 1, 2)
        await handed_in(plane, whole, 2, 3, good=False)  # the first result of the second line counts
        await handed_in(plane, cancelled, 1)
        await service.cancel(plane, owner, cancelled)
        for _ in range(2):
            await seen(plane, owner, whole)
        assert [after - first for first, after in zip(before, lines_and_ends(), strict=True)] == [3, 1, 3, 1, 1, 0]
        await take_batches_on(plane, utc_now())
        assert (told("mizzen_batches", status="in_progress"), told("mizzen_batch_oldest_seconds")) == (0, 0)
