"""Shipping: every row once, in spite of lost answers, refusals and restarts."""

import asyncio
import random

from mizzen_gateway.metering import shipping
from mizzen_gateway.metering.meter import SpoolMeter
from mizzen_gateway.metering.shipping import Shipper
from mizzen_gateway.metering.spool import Spool, SpoolSettings
from support.ledger_double import LedgerDouble
from support.records import CHARGE, an_intent, an_outcome
from support.until import until


def spool_with(folder, count: int, settings: SpoolSettings | None = None) -> Spool:
    spool = Spool(folder, settings)
    meter = SpoolMeter(spool, "gw-a")
    for number in range(count):
        meter.intend(an_intent(f"req_{number}"), CHARGE)
        meter.settle(an_intent(f"req_{number}"), an_outcome(), CHARGE)
    spool.flush()
    return spool


async def test_rows_reach_the_ledger_and_done_segments_go(tmp_path):
    spool = spool_with(tmp_path, 200, SpoolSettings(segment_bytes=10_000))
    ledger, acknowledged = LedgerDouble(), []
    shipper = Shipper(spool, ledger, acknowledged.append)
    assert len(spool.folder.numbers()) > 5
    assert await shipper.drain(10)
    assert len(ledger.rows) == 200
    assert sum(costs["bud_a"] for costs in acknowledged) == 200 * 120
    assert spool.folder.numbers() == [spool.end.segment]
    assert spool.size_bytes == spool.folder.total_bytes()
    assert shipper.oldest_seconds() == 0
    await spool.close()


async def test_while_many_rows_are_gathered_requests_have_their_turn(tmp_path):
    spool, ledger, turns = spool_with(tmp_path, 1000), LedgerDouble(), []

    async def be_served() -> None:
        while not ledger.rows:
            turns.append(len(turns))
            await asyncio.sleep(0)

    serving = asyncio.create_task(be_served())
    assert await Shipper(spool, ledger, lambda costs: None).drain(10)
    await serving
    assert len(ledger.rows) == 1000
    assert len(turns) >= 1000 // shipping.SLICE_ROWS
    await spool.close()


async def test_a_lost_answer_costs_a_repetition_and_no_second_row(tmp_path, monkeypatch):
    monkeypatch.setattr(shipping, "BACKOFF_SECONDS", 0.01)
    spool = spool_with(tmp_path, 50)
    ledger, acknowledged = LedgerDouble(lose_answers=2), []
    shipper = Shipper(spool, ledger, acknowledged.append)
    assert await shipper.drain(10)
    assert (len(ledger.rows), ledger.duplicates) == (50, 100)
    assert acknowledged == [{"bud_a": 50 * 120}]
    await spool.close()


async def test_a_row_that_the_ledger_never_takes_holds_up_no_other(tmp_path):
    spool = spool_with(tmp_path, 64)
    ledger, acknowledged = LedgerDouble(poison={"req_7", "req_40"}), []
    shipper = Shipper(spool, ledger, acknowledged.append)
    assert await shipper.drain(10)
    assert len(ledger.rows) == 62
    assert shipper.refused == 2
    assert (tmp_path / "refused.jsonl").read_text().count("req_") == 2
    assert acknowledged == [{"bud_a": 64 * 120}]
    await spool.close()


async def test_rows_that_the_receipt_refuses_are_put_aside(tmp_path):
    spool = spool_with(tmp_path, 10)
    ledger = LedgerDouble(unwanted={"req_3"})
    shipper = Shipper(spool, ledger, lambda costs: None)
    assert await shipper.drain(10)
    assert (len(ledger.rows), shipper.shipped, shipper.refused) == (9, 9, 1)
    assert '"request_id":"req_3"' in (tmp_path / "refused.jsonl").read_text()
    await spool.close()


async def test_while_the_ledger_is_away_rows_wait_and_then_arrive_once(tmp_path, monkeypatch):
    monkeypatch.setattr(shipping, "BACKOFF_SECONDS", 0.01)
    spool = spool_with(tmp_path, 30)
    ledger = LedgerDouble(away=True)
    shipper = Shipper(spool, ledger, lambda costs: None)
    assert not await shipper.drain(0.05)
    assert shipper.failures > 0
    assert shipper.oldest_seconds() > 0
    ledger.away = False
    assert await shipper.drain(10)
    assert (len(ledger.rows), ledger.duplicates) == (30, 0)
    await spool.close()


async def test_restarts_at_random_moments_lose_nothing_and_count_nothing_twice(tmp_path):
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    ledger = LedgerDouble()
    finished: set[str] = set()
    begun = 0
    for _ in range(12):
        spool = Spool(tmp_path, SpoolSettings(segment_bytes=4000))
        meter = SpoolMeter(spool, "gw-a")
        shipper = Shipper(spool, ledger, lambda costs: None)
        for _ in range(chance.randrange(40)):
            request_id = f"req_{begun}"
            begun += 1
            meter.intend(an_intent(request_id), CHARGE)
            if chance.random() < 0.8:
                meter.settle(an_intent(request_id), an_outcome(), CHARGE)
                finished.add(request_id)
            if chance.random() < 0.2:
                spool.flush()
                await shipper.drain(5)
        spool.flush()
        spool.folder.close()
    spool = Spool(tmp_path)
    assert await Shipper(spool, ledger, lambda costs: None).drain(10)
    assert len(ledger.rows) == begun
    assert {name for name, row in ledger.rows.items() if not row["estimated"]} == finished
    await spool.close()


async def test_the_shipper_wakes_for_new_rows(tmp_path):
    spool = spool_with(tmp_path, 0)
    ledger = LedgerDouble()
    task = asyncio.create_task(Shipper(spool, ledger, lambda costs: None).run())
    meter = SpoolMeter(spool, "gw-a")
    meter.intend(an_intent("req_1"), CHARGE)
    meter.settle(an_intent("req_1"), an_outcome(), CHARGE)
    await until(lambda: ledger.rows, 10)
    task.cancel()
    assert list(ledger.rows) == ["req_1"]
    await spool.close()
