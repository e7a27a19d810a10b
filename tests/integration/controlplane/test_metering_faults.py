"""Is each event in the ledger once when the control plane is killed at any moment and batches are sent again?

One kill a database; `tests/long/test_metering_killed_at_every_point.py` kills at each named point.
"""

import random
import threading
from collections.abc import Sequence

import httpx
from mizzen_crds.usage import UsageEvent
from support.controlplane import ControlPlane
from support.spending import Spending, new_spending
from support.usage_events import batch_body

BATCHES = 12


def test_a_ledger_that_is_killed_while_it_takes_batches_takes_each_event_once(
    stopped_controlplane: ControlPlane,
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    plane = stopped_controlplane
    plane.data_dir.mkdir(exist_ok=True)
    spending = new_spending(plane.start())
    budget = spending.budget("1000.00")
    batches = [
        [spending.event(cost_pico=chance.randrange(10**9), budget_ids=[budget]) for _ in range(50)]
        for _ in range(BATCHES)
    ]
    sent = [0]
    sender = threading.Thread(target=_send_until_taken, args=(plane, batches, sent))
    sender.start()
    _wait_until(sent, chance.randrange(2, BATCHES - 2), sender)
    plane.kill()
    plane.start()
    sender.join(60)
    assert sent[0] == BATCHES
    _adds_up(spending, [event for batch in batches for event in batch])


def _send_until_taken(plane: ControlPlane, batches: Sequence[Sequence[UsageEvent]], sent: list[int]) -> None:
    """As a gateway does: a batch is sent, with a short rest between, until it is acknowledged."""
    away = threading.Event()
    with plane.client("gateway") as client:
        for batch in batches:
            while not _taken(client, batch):
                away.wait(0.02)
            sent[0] += 1


def _taken(client: httpx.Client, batch: Sequence[UsageEvent]) -> bool:
    try:
        return client.post("/internal/v1/usage/events", json=batch_body(*batch)).status_code == 200
    except httpx.TransportError:
        return False


def _wait_until(sent: list[int], batches: int, sender: threading.Thread) -> None:
    """Until so many batches are in; the sender's end is a deadline too."""
    while sent[0] < batches and sender.is_alive():
        sender.join(0.002)


def _adds_up(spending: Spending, events: Sequence[UsageEvent]) -> None:
    cost = sum(event.cost_pico for event in events)
    (row,) = spending.admin("GET", "/usage", params={"bucket": "month"}).json()["items"]
    assert row["requests"] == len(events)
    assert _pico(row["cost"]) == cost
    assert _pico(spending.state()[0]) == cost
    with spending.controlplane.client() as admin:
        lines = admin.get("/metrics").text.splitlines()
    drift = [line for line in lines if line.startswith("mizzen_ledger_drift{")]
    assert drift
    assert all(line.endswith(" 0.0") for line in drift)


def _pico(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(12, "0"))
