"""The usage of processes that are gone reaches the ledger through those that run."""

import os
from pathlib import Path

from mizzen_gateway.metering.left_spools import LeftSpools
from mizzen_gateway.metering.meter import SpoolMeter
from mizzen_gateway.metering.places import claim
from mizzen_gateway.metering.spool import Spool
from support.ledger_double import LedgerDouble
from support.records import CHARGE, an_intent, an_outcome


async def leave(folder: Path, name: str, count: int) -> None:
    """A process that ended with rows that nobody took, and one request under way."""
    spool = Spool(folder)
    meter = SpoolMeter(spool, name)
    for number in range(count):
        meter.intend(an_intent(f"req_{name}_{number}"), CHARGE)
        meter.settle(an_intent(f"req_{name}_{number}"), an_outcome(), CHARGE)
    meter.intend(an_intent(f"req_{name}_cut"), CHARGE)
    await spool.close()


async def test_rows_of_workers_that_are_gone_are_shipped_once(tmp_path: Path) -> None:
    await leave(tmp_path / "worker-1" / "spool", "one", 3)
    await leave(tmp_path / "spool", "alone", 2)
    ledger = LedgerDouble()
    left = LeftSpools(tmp_path, tmp_path / "worker-0" / "spool", ledger)
    await left.ship()
    assert len(ledger.rows) == 3 + 1 + 2 + 1
    await left.ship()
    assert (len(ledger.rows), ledger.duplicates) == (7, 0)
    place = claim(tmp_path)
    assert place.number == 0, "the places are free again"
    os.close(place.lock)


async def test_a_worker_that_runs_keeps_its_own(tmp_path: Path) -> None:
    place = claim(tmp_path)
    await leave(place.spool, "running", 3)
    ledger = LedgerDouble()
    await LeftSpools(tmp_path, tmp_path / "spool", ledger).ship()
    assert len(ledger.rows) == 0
    os.close(place.lock)
    await LeftSpools(tmp_path, tmp_path / "spool", ledger).ship()
    assert len(ledger.rows) == 4
