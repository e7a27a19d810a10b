"""The spool: what is written is found again, whatever broke."""

import os
import random

import orjson
import pytest
from mizzen_crds.usage import UsageEvent
from mizzen_gateway.metering.frames import INTENT, ROWS, SETTLE, frame, frames
from mizzen_gateway.metering.meter import SpoolMeter
from mizzen_gateway.metering.segments import Cursor
from mizzen_gateway.metering.spool import Spool, SpoolSettings
from mizzen_gateway.stages import Charge, Usage
from support.quota_bench import CALLER
from support.records import CHARGE, an_intent, an_outcome


def settled_rows(spool: Spool) -> list[UsageEvent]:
    """Every settle record on disk."""
    records = [record for number in spool.folder.numbers() for record in frames(spool.folder.read(number))]
    return [UsageEvent.model_validate_json(record.payload) for record in records if record.kind in ROWS]


async def test_a_settled_request_is_one_complete_row(tmp_path):
    spool = Spool(tmp_path)
    meter = SpoolMeter(spool, "gw-a")
    request_id = meter.new_request_id()
    assert meter.intend(an_intent(request_id), CHARGE) is None
    meter.settle(an_intent(request_id), an_outcome(), CHARGE)
    await spool.close()
    [row] = settled_rows(spool)
    assert (row.request_id, row.project_id, row.key_id) == (request_id, "prj_a", CALLER.key_id)
    assert (row.status, row.answered, row.estimated, row.cost_pico) == (200, True, False, 120)
    assert (row.input_tokens, row.output_tokens, row.budget_ids, row.gateway) == (10, 5, ["bud_a"], "gw-a")
    assert [tried.endpoint for tried in row.attempts] == ["pod-a"]
    assert spool.open_intents == 0


async def test_a_request_that_failed_has_a_row_that_costs_nothing(tmp_path):
    spool = Spool(tmp_path)
    meter = SpoolMeter(spool, "gw-a")
    meter.intend(an_intent("req_1"), CHARGE)
    free = Charge(0, "EUR", "rcv_a", ("bud_a",))
    meter.settle(an_intent("req_1"), an_outcome(502, Usage(billable=False)), free)
    await spool.close()
    [row] = settled_rows(spool)
    assert (row.status, row.cost_pico, row.input_tokens) == (502, 0, 0)


async def test_every_meter_of_a_request_is_in_its_row(tmp_path):
    spool = Spool(tmp_path)
    meter = SpoolMeter(spool, "gw-a")
    meter.intend(an_intent("req_1"), CHARGE)
    used = Usage(10, 5, cached_tokens=4, reasoning_tokens=3, accelerator_ms=250)
    meter.settle(an_intent("req_1"), an_outcome(200, used), CHARGE)
    failed = Usage(10, 5, billable=False, accelerator_ms=80)
    meter.intend(an_intent("req_2"), CHARGE)
    meter.settle(an_intent("req_2"), an_outcome(502, failed), CHARGE)
    await spool.close()
    first, second = settled_rows(spool)
    assert (first.input_tokens, first.cached_tokens, first.output_tokens, first.reasoning_tokens) == (10, 4, 5, 3)
    assert (first.accelerator_ms, second.accelerator_ms, second.input_tokens) == (250, 80, 0)


async def test_an_intent_is_on_disk_before_it_returns(tmp_path):
    spool = Spool(tmp_path)
    SpoolMeter(spool, "gw-a").intend(an_intent("req_1"), CHARGE)
    [record] = list(frames(spool.folder.read(spool.end.segment)))
    assert (record.kind, orjson.loads(record.payload)["request_id"]) == (INTENT, "req_1")
    await spool.close()


async def test_after_a_crash_an_unfinished_request_becomes_an_interrupted_row_that_costs_nothing(tmp_path):
    spool = Spool(tmp_path)
    meter = SpoolMeter(spool, "gw-a")
    for number in range(3):
        meter.intend(an_intent(f"req_{number}"), CHARGE)
    meter.settle(an_intent("req_1"), an_outcome(), CHARGE)
    spool.flush()
    spool.folder.close()  # as the kernel does when a process is killed
    again = Spool(tmp_path)
    rows = {row.request_id: row for row in settled_rows(again)}
    assert {name: row.estimated for name, row in rows.items()} == {"req_0": True, "req_1": False, "req_2": True}
    assert {name: row.interrupted for name, row in rows.items()} == {"req_0": True, "req_1": False, "req_2": True}
    assert (rows["req_0"].cost_pico, rows["req_0"].status, rows["req_0"].input_tokens) == (0, 500, 0)
    assert again.costs_left == {"bud_a": 120}
    await again.close()
    third = Spool(tmp_path)
    assert len(settled_rows(third)) == 3
    await third.close()


async def test_the_row_of_a_whole_answer_is_on_disk_before_it_leaves(tmp_path):
    spool = Spool(tmp_path)
    assert SpoolMeter(spool, "gw-a").book(an_intent("req_1"), an_outcome(), CHARGE) is None
    [row] = settled_rows(spool)
    assert (row.request_id, row.answered, row.interrupted, row.cost_pico) == ("req_1", True, False, 120)
    assert spool.open_intents == 0
    await spool.close()


async def test_of_a_crash_between_row_and_answer_the_row_says_so_and_costs_what_the_engine_told(tmp_path):
    spool = Spool(tmp_path)
    meter = SpoolMeter(spool, "gw-a")
    meter.book(an_intent("req_left"), an_outcome(), CHARGE)
    meter.book(an_intent("req_unknown"), an_outcome(), CHARGE)
    spool.folder.close()
    again = Spool(tmp_path)
    rows = settled_rows(again)
    assert {row.request_id: row.interrupted for row in rows} == {"req_left": False, "req_unknown": True}
    assert [(row.cost_pico, row.input_tokens, row.estimated) for row in rows] == [(120, 10, False)] * 2
    assert again.costs_left == {"bud_a": 240}
    assert len(rows) == 2
    assert again.size_bytes == again.folder.total_bytes()
    await again.close()
    third = Spool(tmp_path)
    assert sum(row.interrupted for row in settled_rows(third)) == 1
    await third.close()


async def test_an_answer_that_left_a_while_ago_is_not_taken_for_one_that_may_not_have(tmp_path):
    spool = Spool(tmp_path)
    SpoolMeter(spool, "gw-a").book(an_intent("req_1"), an_outcome(), CHARGE)
    await spool.sync()
    spool.folder.close()
    again = Spool(tmp_path)
    assert [row.interrupted for row in settled_rows(again)] == [False]
    await again.close()


async def test_an_answer_whose_row_the_disk_does_not_take_is_refused_and_leaves_none(tmp_path, monkeypatch):
    spool = Spool(tmp_path)

    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        refusal = SpoolMeter(spool, "gw-a").book(an_intent("req_1"), an_outcome(), CHARGE)
    assert refusal is not None
    assert (refusal.status, refusal.code) == (503, "quota_unavailable")
    spool.heal()
    await spool.close()
    assert settled_rows(spool) == []


async def test_what_the_ledger_has_is_not_counted_again_after_a_restart(tmp_path):
    spool = Spool(tmp_path)
    meter = SpoolMeter(spool, "gw-a")
    meter.intend(an_intent("req_1"), CHARGE)
    meter.settle(an_intent("req_1"), an_outcome(), CHARGE)
    spool.flush()
    await spool.advance(spool.end)
    await spool.close()
    again = Spool(tmp_path)
    assert again.costs_left == {}
    await again.close()


async def test_a_long_request_outlives_the_segment_it_began_in(tmp_path):
    spool = Spool(tmp_path, SpoolSettings(segment_bytes=2000))
    meter = SpoolMeter(spool, "gw-a")
    meter.intend(an_intent("req_long"), CHARGE)
    for number in range(20):
        meter.intend(an_intent(f"req_{number}"), CHARGE)
        meter.settle(an_intent(f"req_{number}"), an_outcome(), CHARGE)
    spool.flush()
    await spool.advance(Cursor(spool.end.segment, 0))
    assert spool.folder.numbers() == [spool.end.segment]
    spool.folder.close()
    again = Spool(tmp_path)
    assert [row.request_id for row in settled_rows(again) if row.estimated] == ["req_long"]
    await again.close()


def test_a_torn_tail_is_recognised_at_every_byte():
    whole = frame(SETTLE, b'{"request_id":"req_1"}')
    data = whole + frame(SETTLE, b'{"request_id":"req_2"}')
    for end in range(len(data)):
        read = list(frames(data[:end]))
        assert len(read) == (1 if end >= len(whole) else 0)


def test_damage_and_zeros_are_no_records():
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    whole = frame(INTENT, b'{"request_id":"req_1"}')
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        assert list(frames(bytes(damaged))) == []
    assert list(frames(bytes(4096))) == []


async def test_a_disk_that_takes_nothing_closes_the_gate_and_heals(tmp_path, monkeypatch):
    spool = Spool(tmp_path)
    meter = SpoolMeter(spool, "gw-a")
    meter.intend(an_intent("req_1"), CHARGE)
    real_write = os.write

    def half_then_full(descriptor: int, data: bytes) -> int:
        if len(data) > 10:
            return real_write(descriptor, data[:10])
        raise OSError(28, "No space left on device")

    full = monkeypatch.context()
    with full as patch:
        patch.setattr(os, "write", half_then_full)
        refusal = meter.intend(an_intent("req_2"), CHARGE)
        assert refusal is not None
        assert (refusal.status, refusal.code) == (503, "quota_unavailable")
        assert "No space left" in refusal.message
        meter.settle(an_intent("req_1"), an_outcome(), CHARGE)
        assert spool.closed() is not None
    assert spool.closed() is not None
    spool.heal()
    assert spool.closed() is None
    assert [row.request_id for row in settled_rows(spool)] == ["req_1"]
    assert spool.failures > 0
    await spool.close()


async def test_a_spool_that_has_grown_too_big_closes_the_gate(tmp_path):
    spool = Spool(tmp_path, SpoolSettings(max_bytes=100))
    assert spool.closed() is None
    SpoolMeter(spool, "gw-a").intend(an_intent("req_1"), CHARGE)
    refusal = spool.closed()
    assert refusal is not None
    assert "MIZZEN_SPOOL_MAX_BYTES" in refusal.message
    await spool.close()


async def test_two_gateways_cannot_have_one_spool(tmp_path):
    spool = Spool(tmp_path)
    with pytest.raises(OSError, match="MIZZEN_DATA_DIR"):
        Spool(tmp_path)
    await spool.close()


def test_request_ids_sort_by_time(tmp_path):
    meter = SpoolMeter.__new__(SpoolMeter)
    SpoolMeter.__init__(meter, None, "gw-a")
    ids = [meter.new_request_id() for _ in range(5000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 5000
    assert all(len(one) == 36 and one.startswith("req_") for one in ids)
