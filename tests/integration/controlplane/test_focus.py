"""Is a month's usage exported as FOCUS 1.2, all of it, at what it cost?"""

from datetime import UTC, datetime
from decimal import Decimal

import httpx
from support.controlplane import ControlPlane
from support.focus_rules import broken_rules, focus_rows
from support.spending import Spending, new_spending

MARCH, LATER = datetime(2026, 3, 5, 23, 59, tzinfo=UTC), datetime(2026, 3, 6, tzinfo=UTC)


def _export(spending: Spending, month: str) -> httpx.Response:
    return spending.admin("GET", "/usage:exportFocus", params={"month": month})


def test_a_month_is_exported_by_day_key_and_meter_and_costs_what_it_cost(controlplane: ControlPlane) -> None:
    spending = new_spending(controlplane)
    prices = [
        {
            "model": "sentiment", "per_million_input_tokens": "2.00", "per_million_cached_tokens": "0.50",
            "per_request": "0.01", "per_accelerator_second": "0.002",
        }
    ]  # fmt: skip
    card = {"name": f"card-{spending.project}", "project": spending.project, "prices": prices}
    with controlplane.client() as admin:
        version = admin.post("/api/v1/rate-cards", json=card).json()["version_id"]
    used = {"input_tokens": 1000, "cached_tokens": 400, "accelerator_ms": 1500, "rate_card_id": version}
    cost = 600 * 2_000_000 + 400 * 500_000 + 10**10 + 1500 * 2 * 10**6
    spending.send(
        spending.event(started_at=MARCH, cost_pico=cost, **used),
        spending.event(started_at=LATER, cost_pico=cost, **used),
        spending.event(started_at=LATER, cost_pico=cost + 7, key_id="key_b", **used),
        spending.event(started_at=LATER, cost_pico=0, status=503, **used),
    )
    answer = _export(spending, "2026-03")
    assert answer.status_code == 200, answer.text + controlplane.log[-3000:]
    assert answer.headers["content-type"].startswith("text/csv")
    assert broken_rules(answer.text) == []
    rows = focus_rows(answer.text)
    assert len(rows) == 3 * 4 + 1
    assert sum(Decimal(row["BilledCost"]) for row in rows) == Decimal(3 * cost + 7).scaleb(-12)
    assert {row["ChargePeriodStart"] for row in rows} == {"2026-03-05T00:00:00Z", "2026-03-06T00:00:00Z"}
    tokens = next(row for row in rows if row["SkuMeter"] == "cached_tokens")
    assert (tokens["ConsumedQuantity"], tokens["PricingQuantity"], tokens["BilledCost"]) == ("400", "0.0004", "0.0002")
    assert {row["InvoiceId"] for row in rows} == {""}
    number = spending.admin("POST", "/invoices/2026-03:finalize").json()["number"]
    assert {row["InvoiceId"] for row in focus_rows(_export(spending, "2026-03").text)} == {number}


def test_a_month_without_usage_is_a_header_and_what_is_no_month_is_refused(controlplane: ControlPlane) -> None:
    spending = new_spending(controlplane)
    assert broken_rules(_export(spending, "").text) == []
    assert focus_rows(_export(spending, "").text) == []
    wrong = _export(spending, "2026-13")
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["pointer"] == "query:month"
    with controlplane.client() as admin:
        assert admin.get("/api/v1/projects/nobody/usage:exportFocus").status_code == 404
