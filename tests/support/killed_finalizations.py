"""A control plane that dies while it finalizes an invoice, at each step of it, and what must be true afterwards."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from support.controlplane import ControlPlane
from support.killed_at import VARIABLE
from support.spending import Spending, new_spending

_VERBS: Final = "mizzen_controlplane.invoices.verbs:"
POINTS: Final = tuple(
    f"{place}|{moment}|1|0"
    for place in (
        "mizzen_controlplane.invoices.repository:next_number",
        _VERBS + "flush_or",
        _VERBS + "draw",
        _VERBS + "record",
        _VERBS + "finalize",
    )
    for moment in ("before", "after")
)
"""The number is taken; the invoice is written; credits are drawn; the audit event is written; all is committed."""
TESTS: Final = str(Path(__file__).parents[1])
CREDIT: Final = 1.0


def mistakes_after_kills(folder: Path, database_url: str, points: Sequence[str]) -> list[str]:
    """What is half done after a kill at each of the points, each while another month is finalized, in sentences."""
    plane = ControlPlane(
        folder, database_url, environment={"PYTHONPATH": TESTS}, program=("support.killed_at", "mizzen_controlplane")
    )
    months = [f"2025-{number:02}" for number in range(1, 1 + len(points))]
    mistakes = list[str]()
    spending: Spending | None = None
    try:
        for point, month in zip(points, months, strict=True):
            plane.environment = {"PYTHONPATH": TESTS, VARIABLE: point}
            plane.start()
            if spending is None:
                spending = _payer(plane, [*months, "2025-12"])
            mistakes += _found(spending)
            with pytest.raises(httpx.TransportError):
                _finalize(spending, month)
            plane.kill()
        plane.environment = {"PYTHONPATH": TESTS}
        plane.start()
        assert spending is not None
        mistakes += _found(spending)
        states = [_finalize(spending, month).status_code for month in [*months, "2025-12"]]
        if not set(states) <= {200, 409} or states[-1] != 200:
            mistakes.append(f"finalized again, the months answered {states}")
        mistakes += _found(spending)
        finals = _invoices(spending, "finalized")
        if len(finals) != len(months) + 1:
            mistakes.append(f"{len(finals)} months of {len(months) + 1} are final")
    finally:
        plane.kill()
    return mistakes


def _payer(plane: ControlPlane, months: Sequence[str]) -> Spending:
    made = new_spending(plane)
    began = [datetime.fromisoformat(f"{month}-05").replace(tzinfo=UTC) for month in months]
    events = [made.event(started_at=at, cost_pico=3 * 10**11) for at in began]
    assert made.send(*events).accepted == len(events)
    credit = made.admin("POST", "/credits", json={"name": "hand", "amount": f"{CREDIT:.2f}", "reason": "test"})
    assert credit.status_code == 201, credit.text
    return made


def _finalize(spending: Spending, month: str) -> httpx.Response:
    return spending.admin("POST", f"/invoices/{month}:finalize")


def _invoices(spending: Spending, state: str) -> list[dict[str, Any]]:
    items = spending.admin("GET", "/invoices").json()["items"]
    return [each for each in items if each["state"] == state]


def _found(spending: Spending) -> list[str]:
    """What is wrong now: a gap, an invoice without its text, money that nobody drew, a trail that is not whole."""
    finals, mistakes = _invoices(spending, "finalized"), list[str]()
    numbers = sorted(int(each["number"].removeprefix("INV-")) for each in finals)
    if numbers != list(range(1, len(numbers) + 1)):
        mistakes.append(f"numbers are {numbers}")
    mistakes += [f"{each['number']} has no text" for each in finals if not each["digest"]]
    mistakes += [f"{each['month']} has a number and is {each['state']}" for each in _invoices(spending, "draft")
                 if each["number"]]  # fmt: skip
    drawn = sum(float(each["credits_drawn"]) for each in finals)
    left = float(spending.admin("GET", "/credits").json()["items"][0]["left"])
    if abs(CREDIT - drawn - left) > 0.001:
        mistakes.append(f"of a credit of {CREDIT}, {drawn} were drawn and {left} are left")
    with spending.controlplane.client() as admin:
        events = admin.get("/api/v1/audit-events", params={"page_size": 500}).json()["items"]
        whole = admin.get("/api/v1/audit-events:verify").json()["whole"]
    told = [event for event in events if event["action"] == "invoices.finalize" and event["outcome"] == "done"]
    if len(told) != len(finals):
        mistakes.append(f"{len(finals)} are final, of which the audit trail tells {len(told)}")
    if not whole:
        mistakes.append("the audit trail is not whole")
    return mistakes
