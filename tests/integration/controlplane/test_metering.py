"""Does the ledger take each event exactly once, and do usage, budgets and invoices agree with it?"""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from support.controlplane import ControlPlane
from support.spending import UNIT, Spending, new_spending
from support.usage_events import batch_body


@pytest.fixture
def spending(controlplane: ControlPlane) -> Spending:
    return new_spending(controlplane)


def _usage(spending: Spending, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = spending.admin("GET", "/usage", params=params).json()["items"]
    return found


def _drift(controlplane: ControlPlane) -> set[str]:
    with controlplane.client() as client:
        lines = client.get("/metrics").text.splitlines()
    return {line.rpartition(" ")[2] for line in lines if line.startswith("mizzen_ledger_drift{")}


def test_an_event_that_is_sent_again_counts_once(spending: Spending) -> None:
    budget = spending.budget("9.00")
    event = spending.event(cost_pico=UNIT, budget_ids=[budget], input_tokens=7)
    assert spending.send(event, event).model_dump(exclude={"refused"}) == {"accepted": 1, "duplicates": 1}
    assert spending.send(event).duplicates == 1
    assert spending.state()[0] == "1.00"
    assert [(row["requests"], row["input_tokens"], row["cost"]) for row in _usage(spending)] == [(1, 7, "1.00")]


def test_meters_are_shown_apart_and_each_is_invoiced_at_its_price(spending: Spending) -> None:
    model = f"m-{spending.project}"
    price = {"per_million_input_tokens": "2", "per_million_cached_tokens": "1", "per_accelerator_second": "0.5"}
    with spending.controlplane.client() as admin:
        card = admin.post(
            "/api/v1/rate-cards",
            json={"name": model, "project": spending.project, "prices": [{"model": model, **price}]},
        )
        assert card.status_code == 201, card.text
    cost = 600_000 * 2 * 10**6 + 400_000 * 10**6 + 3000 * 5 * 10**8
    spending.send(
        spending.event(
            model=model, input_tokens=1_000_000, cached_tokens=400_000, output_tokens=50, reasoning_tokens=20,
            accelerator_ms=3000, cost_pico=cost, rate_card_id=card.json()["version_id"],
        ),
        spending.event(model=model, interrupted=True, estimated=True, status=500),
    )  # fmt: skip
    [row] = _usage(spending)
    meters = ("requests", "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "accelerator_seconds")
    assert [row[name] for name in meters] == [2, 600_000, 400_000, 30, 20, 3.0]
    requests = spending.admin("GET", "/requests").json()["items"]
    assert sorted((row["interrupted"], row["cached_tokens"]) for row in requests) == [(False, 400_000), (True, 0)]
    invoice = spending.admin("GET", f"/invoices/{datetime.now(UTC):%Y-%m}").json()
    lines = {line["kind"]: (line["quantity"], line["amount"]) for line in invoice["lines"]}
    assert lines["input_tokens"] == (600_000, "1.20")
    assert lines["cached_tokens"] == (400_000, "0.40")
    assert lines["accelerator_seconds"] == (3.0, "1.50")
    assert (invoice["total"], "adjustment" in lines) == ("3.10", False)


def test_more_cached_tokens_than_a_prompt_has_are_refused(spending: Spending) -> None:
    receipt = spending.send(spending.event(input_tokens=5, cached_tokens=6))
    assert [(item.code, "cached_tokens" in item.detail) for item in receipt.refused] == [("out_of_range", True)]


def test_the_same_request_id_in_two_projects_is_two_requests(spending: Spending) -> None:
    other = new_spending(spending.controlplane)
    event = spending.event()
    assert spending.send(event, event.model_copy(update={"project_id": other.project_id})).accepted == 2


def test_an_event_of_an_unknown_project_is_refused_and_the_others_are_taken(spending: Spending) -> None:
    foreign = spending.event().model_copy(update={"project_id": "prj_gone"})
    receipt = spending.send(spending.event(), foreign, spending.event())
    assert (receipt.accepted, [item.code for item in receipt.refused]) == (2, ["unknown_project"])
    assert receipt.refused[0].request_id == foreign.request_id


def test_a_batch_over_the_limit_is_refused_with_the_limit(spending: Spending, controlplane: ControlPlane) -> None:
    body = batch_body(*[spending.event() for _ in range(1001)])
    with controlplane.client("gateway") as gateway:
        refused = gateway.post("/internal/v1/usage/events", json=body)
    assert refused.status_code == 413
    assert "1000" in refused.json()["detail"]


def test_batches_that_overlap_and_arrive_at_once_are_counted_once(spending: Spending) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    budget = spending.budget("1000.00")
    events = [spending.event(cost_pico=n * 10**9, budget_ids=[budget], model=f"m{n % 3}") for n in range(200)]
    batches = [random.Random(seed + at).sample(events, 120) for at in range(10)]
    with ThreadPoolExecutor(5) as pool:
        receipts = list(pool.map(lambda batch: spending.send(*batch), batches))
    distinct = {event.request_id: event for batch in batches for event in batch}
    assert sum(receipt.accepted for receipt in receipts) == len(distinct)
    cost = sum(event.cost_pico for event in distinct.values())
    rows = _usage(spending, group_by="model", bucket="month")
    assert sum(row["requests"] for row in rows) == len(distinct)
    assert sum(_pico(row["cost"]) for row in rows) == cost
    assert _pico(spending.state()[0]) == cost


def _pico(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(12, "0"))


def test_usage_is_grouped_and_cut_into_buckets(spending: Spending) -> None:
    noon = datetime(2026, 3, 1, 12, 20, tzinfo=UTC)
    key = spending.admin("POST", "/keys", json={"name": "app"}).json()
    key_id = key.get("id") or key["key"]["id"]
    spending.send(
        spending.event(started_at=noon, model="a", key_id=key_id),
        spending.event(started_at=noon + timedelta(hours=1), model="a", key_id=key_id),
        spending.event(started_at=noon + timedelta(days=1), model="b", key_id=key_id),
    )
    around = {"start": "2026-03-01T00:00:00Z", "end": "2026-03-08T00:00:00Z"}
    by_hour = _usage(spending, bucket="hour", **around)
    by_day = _usage(spending, bucket="day", group_by="model,key", **around)
    assert [row["bucket_start"][:13] for row in by_hour] == ["2026-03-01T12", "2026-03-01T13", "2026-03-02T12"]
    assert [(row["model"], row["key"], row["requests"]) for row in by_day] == [("a", "app", 2), ("b", "app", 1)]


def test_usage_is_filtered_and_comes_in_pages(spending: Spending) -> None:
    noon = datetime(2026, 3, 1, 12, 20, tzinfo=UTC)
    for number in range(5):
        spending.send(
            spending.event(started_at=noon + timedelta(minutes=15 * number), model="a"),
            spending.event(started_at=noon + timedelta(minutes=15 * number), model="b", status=503),
        )
    asked = {"start": "2026-03-01T00:00:00Z", "end": "2026-03-02T00:00:00Z", "bucket": "15m", "group_by": "model"}
    seen, token = [], ""
    while True:
        answer = spending.admin("GET", "/usage", params=asked | {"page_size": 3, "page_token": token}).json()
        seen += [(row["bucket_start"][11:16], row["model"]) for row in answer["items"]]
        token = answer["next_page_token"]
        if not token:
            break
    quarters = ["12:15", "12:30", "12:45", "13:00", "13:15"]
    assert seen == [(quarter, model) for quarter in quarters for model in "ab"]
    good = _usage(spending, **asked | {"filter": "status_class = 2", "bucket": "hour"})
    assert [(row["model"], row["requests"]) for row in good] == [("a", 3), ("a", 2)]
    by_class = _usage(spending, **asked | {"group_by": "status_class", "bucket": "month"})
    assert [(row["status_class"], row["requests"]) for row in by_class] == [(2, 5), (5, 5)]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"group_by": "revision"}, "the list of the project's requests"),
        ({"filter": "cost_pico > 1"}, "is not one of"),
        ({"page_token": "x"}, "page_token"),
        ({"group_by": "colour"}, "model, key, operation"),
        ({"start": "2026-03-02T00:00:00Z", "end": "2026-03-01T00:00:00Z"}, "must be after start"),
        ({"start": "2020-01-01T00:00:00Z", "end": "2026-01-01T00:00:00Z", "bucket": "hour"}, "at most 31 days"),
        ({"bucket": "week"}, "hour"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_with_the_limit(
    spending: Spending, params: dict[str, str], said: str
) -> None:
    refused = spending.admin("GET", "/usage", params=params)
    assert refused.status_code == 422
    assert said in refused.json()["detail"]


def test_requests_are_listed_newest_first_in_pages(spending: Spending) -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    events = [spending.event(started_at=start + timedelta(minutes=n), status=200 + n) for n in range(5)]
    spending.send(*events)
    seen: list[str] = []
    token = ""
    while True:
        page = spending.admin("GET", "/requests", params={"page_size": 2, "page_token": token}).json()
        seen += [item["id"] for item in page["items"]]
        token = page["next_page_token"]
        if not token:
            break
    assert seen == [event.request_id for event in reversed(events)]
    failed = spending.admin("GET", "/requests", params={"filter": "status>=203"}).json()["items"]
    assert {item["status"] for item in failed} == {203, 204}


def test_the_invoice_prices_usage_with_the_version_that_it_was_priced_with(
    spending: Spending, admin: httpx.Client
) -> None:
    card = {"name": f"card-{spending.project}", "project": spending.project}
    prices = [{"model": "sentiment", "per_million_input_tokens": "2.00", "per_request": "0.01"}]
    first = admin.post("/api/v1/rate-cards", json=card | {"prices": prices}).json()["version_id"]
    prices[0]["per_request"] = "0.02"
    second = admin.post("/api/v1/rate-cards", json=card | {"prices": prices}).json()["version_id"]
    march = datetime(2026, 3, 5, tzinfo=UTC)
    priced = {"input_tokens": 1000, "started_at": march}
    spending.send(
        *[spending.event(rate_card_id=first, cost_pico=2 * 10**9 + 10**10, **priced) for _ in range(3)],
        *[spending.event(rate_card_id=second, cost_pico=2 * 10**9 + 2 * 10**10, **priced) for _ in range(2)],
        spending.event(rate_card_id=second, cost_pico=0, status=503, **priced),
    )
    invoice = spending.admin("GET", "/invoices/2026-03").json()
    lines = [(line["kind"], line["quantity"], line["unit_price"], line["amount"]) for line in invoice["lines"]]
    assert lines == [
        ("requests", 3, "0.01", "0.03"),
        ("input_tokens", 3000, "2.00", "0.01"),
        ("requests", 2, "0.02", "0.04"),
        ("input_tokens", 2000, "2.00", "0.00"),
    ]
    assert (invoice["total"], invoice["currency"], invoice["state"]) == ("0.08", "USD", "draft")
    as_csv = spending.admin("GET", "/invoices/2026-03", headers={"Accept": "text/csv"})
    assert as_csv.headers["content-type"].startswith("text/csv")
    assert as_csv.text == spending.admin("GET", "/invoices/2026-03", params={"format": "csv"}).text
    months = [item["month"] for item in spending.admin("GET", "/invoices").json()["items"]]
    assert months[-1] == "2026-03"
    assert months == sorted(months, reverse=True)


def test_only_a_gateway_may_write_usage_and_only_an_administrator_may_read_it(
    spending: Spending, controlplane: ControlPlane
) -> None:
    with controlplane.client("admin") as admin, controlplane.client("gateway") as gateway:
        assert admin.post("/internal/v1/usage/events", json=batch_body(spending.event())).status_code == 403
        assert gateway.get(spending.path + "/usage").status_code == 403


def test_the_ledger_agrees_with_itself(spending: Spending, controlplane: ControlPlane) -> None:
    spending.send(spending.event(cost_pico=5, budget_ids=[spending.budget("1.00")]))
    assert _drift(controlplane) == {"0.0"}
