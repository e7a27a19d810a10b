"""Are prices kept by version, exact, and one for each model?"""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from support.controlplane import ControlPlane
from support.feed_lines import FeedLines


def _card(project: str, **fields: Any) -> dict[str, Any]:
    prices = [{"model": "sentiment", "per_million_input_tokens": "0.15", "per_request": "0.000000000001"}]
    return {"name": f"card-{project}", "project": project, "prices": prices} | fields


def _prices(controlplane: ControlPlane, version_ids: set[str]) -> list[dict[str, Any]]:
    with controlplane.client("gateway") as gateway:
        prices = gateway.get("/internal/v1/access/snapshot").json()["prices"]
    return [price for price in prices if price["rate_card_id"] in version_ids]


def test_a_price_reaches_gateways_exactly(admin: httpx.Client, project: str, controlplane: ControlPlane) -> None:
    made = admin.post("/api/v1/rate-cards", json=_card(project))
    assert made.status_code == 201
    (price,) = _prices(controlplane, {made.json()["version_id"]})
    assert (price["pico_per_input_token"], price["pico_per_request"], price["pico_per_output_token"]) == (150_000, 1, 0)


def test_the_next_version_takes_over_and_a_later_one_waits(
    admin: httpx.Client, project: str, controlplane: ControlPlane
) -> None:
    first = admin.post("/api/v1/rate-cards", json=_card(project)).json()
    second = admin.post("/api/v1/rate-cards", json=_card(project)).json()
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    third = admin.post("/api/v1/rate-cards", json=_card(project, effective_from=tomorrow)).json()
    assert first["id"] == second["id"] == third["id"]
    ids = {card["version_id"] for card in (first, second, third)}
    assert [price["rate_card_id"] for price in _prices(controlplane, ids)] == [second["version_id"]]
    versions = admin.get(f"/api/v1/rate-cards/{first['name']}/versions").json()["items"]
    assert [version["id"] for version in versions] == [card["version_id"] for card in (first, second, third)]


def test_a_price_comes_into_force_by_itself(admin: httpx.Client, project: str, controlplane: ControlPlane) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    made = admin.post("/api/v1/rate-cards", json=_card(project, effective_from=soon)).json()
    with controlplane.client("gateway") as gateway:
        version = gateway.get("/internal/v1/access/snapshot").json()["version"]
    with FeedLines(controlplane, "gateway", "/internal/v1/access/watch", after=version) as feed:
        line = feed.wait_for(
            lambda line: (
                line["type"] == "SNAPSHOT"
                and any(price["rate_card_id"] == made["version_id"] for price in line["snapshot"]["prices"])
            )
        )
    assert line["version"] > version


def test_a_digit_that_cannot_be_kept_is_refused_with_the_field(admin: httpx.Client, project: str) -> None:
    prices = [{"model": "a"}, {"model": "b", "per_million_output_tokens": "0.0000001"}]
    refused = admin.post("/api/v1/rate-cards", json=_card(project, prices=prices))
    assert refused.json()["errors"][0]["pointer"] == "/prices/1/per_million_output_tokens"
    assert "at most 6" in refused.json()["detail"]


def test_a_model_has_one_price_in_a_project(admin: httpx.Client, project: str) -> None:
    twice = admin.post("/api/v1/rate-cards", json=_card(project, prices=[{"model": "a"}, {"model": "a"}]))
    assert twice.json()["errors"][0]["pointer"] == "/prices/1/model"
    admin.post("/api/v1/rate-cards", json=_card(project))
    other = admin.post("/api/v1/rate-cards", json=_card(project, name=f"other-{project}"))
    assert (other.status_code, other.json()["code"]) == (409, "model_priced_already")
