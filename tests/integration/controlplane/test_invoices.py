"""Is an invoice made once, numbered without a gap, and never changed; and does what comes late reach the next one?"""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from mizzen_controlplane.kit.database import open_database, unit_of_work
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from support.controlplane import ControlPlane
from support.spending import UNIT, Spending, new_spending

MARCH, APRIL = datetime(2026, 3, 5, tzinfo=UTC), datetime(2026, 4, 5, tzinfo=UTC)


@pytest.fixture
def spending(controlplane: ControlPlane) -> Spending:
    """A project with a price of 0.01 a request, that asked 30 times in March."""
    made = new_spending(controlplane)
    use(made, MARCH, 30)
    return made


def card(spending: Spending, per_request: str, since: str | None = None) -> str:
    body = {"name": f"card-{spending.project}", "project": spending.project, "effective_from": since}
    body |= {"prices": [{"model": "sentiment", "per_request": per_request}]}
    with spending.controlplane.client() as admin:
        made = admin.post("/api/v1/rate-cards", json=body)
    assert made.status_code == 201, made.text
    return str(made.json()["version_id"])


def use(spending: Spending, at: datetime, requests: int) -> None:
    version = card(spending, "0.01")
    events = [
        spending.event(started_at=at, cost_pico=UNIT // 100, rate_card_id=version, model="sentiment")
        for _ in range(requests)
    ]
    assert spending.send(*events).accepted == requests


def invoice(spending: Spending, asked: str = "2026-03") -> dict[str, Any]:
    found: dict[str, Any] = spending.admin("GET", f"/invoices/{asked}").json()
    return found


def do(spending: Spending, verb: str, asked: str = "2026-03", body: Any = None, **headers: str) -> httpx.Response:
    return spending.admin("POST", f"/invoices/{asked}:{verb}", json=body, headers=headers)


def finalized(spending: Spending, asked: str = "2026-03") -> dict[str, Any]:
    answer = do(spending, "finalize", asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_an_invoice_goes_from_draft_to_paid(spending: Spending) -> None:
    draft = invoice(spending)
    assert (draft["state"], draft["number"], draft["total"], draft["due_at"]) == ("draft", "", "0.30", None)
    final = finalized(spending)
    assert (final["id"], final["state"], final["due"]) == (draft["id"], "finalized", "0.30")
    assert invoice(spending) == invoice(spending, final["id"]) == invoice(spending, final["number"]) == final
    paid = do(spending, "pay", body={"reference": "wire 7"}, **{"If-Match": final["etag"]}).json()
    assert (paid["state"], paid["due"], paid["payment_reference"]) == ("paid", "0.00", "wire 7")
    with spending.controlplane.client() as admin:
        listed = admin.get("/api/v1/invoices", params={"filter": f"project_id = {spending.project_id}"}).json()
        trail = admin.get("/api/v1/audit-events", params={"filter": f"resource = {paid['id']}"}).json()["items"]
    assert [(each["number"], each["state"]) for each in listed["items"]] == [(final["number"], "paid")]
    assert {event["action"] for event in trail} == {"invoices.finalize", "invoices.pay"}


def test_a_month_under_way_gathers_and_cannot_be_finalized(spending: Spending) -> None:
    month = f"{datetime.now(UTC):%Y-%m}"
    assert invoice(spending, month)["state"] == "gathering"
    assert do(spending, "finalize", month).json()["code"] == "invoice_gathering"


def test_what_happened_already_is_refused_with_what_to_do(spending: Spending) -> None:
    assert do(spending, "pay", body={}).json()["code"] == "invoice_draft"
    final = finalized(spending)
    assert do(spending, "finalize").json()["code"] == "invoice_finalized"
    assert do(spending, "rerate").json()["code"] == "invoice_finalized"
    assert do(spending, "pay", body={}, **{"If-Match": '"x"'}).status_code == 412
    do(spending, "pay", body={})
    assert "credit note" in do(spending, "void", body={"reason": "x"}).json()["detail"]
    other = new_spending(spending.controlplane)
    for asked in (final["id"], final["number"], "inv_x_2026-03", "INV-x"):
        assert other.admin("GET", f"/invoices/{asked}").status_code == 404
    assert other.admin("GET", "/invoices/march").status_code == 422


def test_a_draft_is_finalized_as_it_was_seen_or_not_at_all(spending: Spending) -> None:
    seen = invoice(spending)["etag"]
    use(spending, MARCH, 1)
    assert do(spending, "finalize", **{"If-Match": seen}).status_code == 412
    assert do(spending, "finalize", **{"If-Match": invoice(spending)["etag"]}).json()["total"] == "0.31"


def test_numbers_have_no_gap_however_many_finalize_at_once(controlplane: ControlPlane) -> None:
    payers = [new_spending(controlplane) for _ in range(4)]
    for payer in payers:
        payer.send(payer.event(started_at=MARCH), payer.event(started_at=APRIL))
    ready = threading.Barrier(8)

    def race(job: tuple[Spending, str]) -> int:
        ready.wait(30)
        return do(job[0], "finalize", job[1]).status_code

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(race, itertools.product(payers, ["2026-03", "2026-03"])))
    assert sorted(codes) == [200] * 4 + [409] * 4
    with controlplane.client() as admin:
        numbers = [each["number"] for each in admin.get("/api/v1/invoices?page_size=500").json()["items"]]
    assert sorted(int(number[4:]) for number in numbers) == list(range(1, len(numbers) + 1))


def test_late_usage_is_on_the_next_invoice_and_once(spending: Spending) -> None:
    assert finalized(spending)["total"] == "0.30"
    use(spending, MARCH, 5)
    use(spending, APRIL, 10)
    assert invoice(spending)["total"] == "0.30"
    april = finalized(spending, "2026-04")
    assert sorted((line["adjusts"], line["amount"]) for line in april["lines"]) == [
        ("", "0.10"),
        ("2026-03", "0.05"),
    ]
    may = invoice(spending, "2026-05")
    assert (may["total"], may["lines"]) == ("0.00", [])


def test_what_is_void_is_charged_again_and_keeps_its_number(spending: Spending) -> None:
    first = finalized(spending)
    void = do(spending, "void", body={"reason": "wrong customer"}).json()
    assert (void["state"], void["number"], void["due"]) == ("void", first["number"], "0.00")
    use(spending, MARCH, 1)
    second = finalized(spending)
    assert (second["total"], second["number"] > first["number"]) == ("0.31", True)
    assert invoice(spending, first["id"])["total"] == "0.30"
    listed = spending.admin("GET", "/invoices").json()["items"]
    assert [item["state"] for item in listed if item["month"] == "2026-03"] == ["finalized", "void"]


def test_a_corrected_price_reaches_the_draft_and_twice_is_once(spending: Spending) -> None:
    card(spending, "0.02", since="2026-03-01T00:00:00Z")
    assert invoice(spending)["total"] == "0.30"
    once = do(spending, "rerate").json()
    assert (once["total"], [line["unit_price"] for line in once["lines"]]) == ("0.60", ["0.02"])
    again = do(spending, "rerate").json()
    assert {**again, "rated_as_of": 0} == {**once, "rated_as_of": 0}
    card(spending, "0.09", since="2026-03-01T00:00:00Z")
    assert finalized(spending)["total"] == "0.60"


def test_credit_notes_take_back_no_more_than_there_is(spending: Spending) -> None:
    finalized(spending)
    notes = [
        spending.admin("POST", "/invoices/2026-03/credit-notes", json={"amount": amount, "reason": "outage"})
        for amount in ("0.10", "0.20", "0.01", "0.001")
    ]
    assert [note.status_code for note in notes] == [201, 201, 422, 422]
    numbers = [int(note.json()["number"][4:]) for note in notes[:2]]
    assert numbers[1] == numbers[0] + 1
    now = invoice(spending)
    assert (now["total"], now["credited"], now["due"]) == ("0.30", "0.30", "0.00")
    assert len(spending.admin("GET", "/invoices/2026-03/credit-notes").json()["items"]) == 2
    assert do(spending, "void", body={"reason": "x"}).json()["code"] == "invoice_credited"


ATTACKS = (
    "UPDATE invoice SET document = '{}' WHERE number = :number",
    "UPDATE invoice SET number = 'INV-x' WHERE number = :number",
    "UPDATE invoice SET state = 'draft' WHERE number = :number",
    "DELETE FROM invoice WHERE number = :number",
    "UPDATE credit_note SET amount_pico = 0 WHERE number <> :number",
    "DELETE FROM credit_note WHERE number <> :number",
)


async def test_the_database_itself_refuses_to_change_what_is_final(spending: Spending) -> None:
    number = finalized(spending)["number"]
    spending.admin("POST", "/invoices/2026-03/credit-notes", json={"amount": "0.01", "reason": "x"})
    database = open_database(spending.controlplane.database_url)
    for attack in ATTACKS:
        with pytest.raises(DBAPIError, match="never changes"):
            async with unit_of_work(database) as session:
                await (await session.connection()).execute(text(attack), {"number": number})
    await database.close()


def test_tax_is_a_line_and_a_project_has_its_own(spending: Spending) -> None:
    taxed = {"tax_name": "VAT", "tax_percent": "19", "customer": "Example 有限公司\n<b>Street</b> 1"}
    assert spending.admin("PATCH", "/billing-profile", json={"tax_percent": "101", "tax_name": "x"}).status_code == 422
    assert spending.admin("PATCH", "/billing-profile", json={"tax_name": "VAT"}).status_code == 422
    profile = spending.admin("PATCH", "/billing-profile", json=taxed)
    assert profile.json()["tax_percent"] == "19"
    draft = invoice(spending)
    assert [(line["kind"], line["amount"]) for line in draft["lines"]] == [("requests", "0.30"), ("tax", "0.06")]
    assert Decimal(draft["total"]) == Decimal("0.36")
    final = finalized(spending)
    spending.admin("PATCH", "/billing-profile", json={"tax_name": None, "tax_percent": None})
    assert invoice(spending)["total"] == final["total"]
    pdf = spending.admin("GET", "/invoices/2026-03", headers={"Accept": "application/pdf"})
    assert (pdf.headers["content-type"], pdf.content[:5]) == ("application/pdf", b"%PDF-")
    assert pdf.content == spending.admin("GET", "/invoices/2026-03?format=pdf").content


def test_a_price_by_amount_is_rated_over_the_month_and_late_usage_with_it(controlplane: ControlPlane) -> None:
    spending = new_spending(controlplane)
    steps = [{"up_to": 10, "price": "0.10"}, {"price": "0.01"}]
    tiers = [{"meter": "requests", "mode": "graduated", "steps": steps}]
    price = {"model": "sentiment", "per_request": "0.10", "tiers": tiers}
    with controlplane.client() as admin:
        body = {"name": f"card-{spending.project}", "project": spending.project, "prices": [price]}
        made = admin.post("/api/v1/rate-cards", json=body).json()
    assert made["prices"][0]["tiers"][0]["steps"][0] == {"up_to": 10, "price": "0.10", "flat": "0.00"}
    priced = {"started_at": MARCH, "cost_pico": UNIT // 10, "rate_card_id": made["version_id"], "model": "sentiment"}
    spending.send(*[spending.event(**priced) for _ in range(8)])
    first = finalized(spending)
    assert [(line["quantity"], line["unit_price"], line["amount"]) for line in first["lines"]] == [
        (8, "graduated", "0.80")
    ]
    spending.send(*[spending.event(**priced) for _ in range(7)])
    assert invoice(spending, "2026-04")["total"] == "0.25"


def test_credits_pay_when_it_is_finalized_and_are_whole_again_when_it_is_void(spending: Spending) -> None:
    def credit(name: str, amount: str, priority: int) -> httpx.Response:
        body = {"name": name, "amount": amount, "priority": priority, "reason": "welcome"}
        return spending.admin("POST", "/credits", json=body)

    def left() -> list[str]:
        return [each["left"] for each in spending.admin("GET", "/credits").json()["items"]]

    assert [credit("late", "5.00", 2).status_code, credit("first", "0.10", 1).status_code] == [201, 201]
    assert credit("part", "0.001", 1).status_code == 422
    assert credit("first", "1", 1).status_code == 409
    final = finalized(spending)
    assert (final["total"], final["credits_drawn"], final["due"], left()) == ("0.30", "0.30", "0.00", ["4.80", "0.00"])
    refused = spending.admin("POST", "/invoices/2026-03/credit-notes", json={"amount": "0.01", "reason": "x"})
    assert "at most 0.00" in refused.json()["detail"]
    do(spending, "void", body={"reason": "x"})
    assert left() == ["5.00", "0.10"]


def test_a_discount_a_fee_and_a_minimum_are_lines(spending: Spending) -> None:
    agreed = {"discount_percent": "10", "discount_until": "2026-03", "monthly_fee": "2.00", "minimum": "5.00"}
    assert spending.admin("PATCH", "/billing-profile", json=agreed).status_code == 200
    lines = {line["kind"]: line["amount"] for line in invoice(spending)["lines"]}
    assert lines == {"requests": "0.30", "discount": "-0.03", "monthly_fee": "2.00", "minimum": "2.73"}
    april = [line["kind"] for line in invoice(spending, "2026-04")["lines"]]
    assert april == ["monthly_fee", "minimum"]
