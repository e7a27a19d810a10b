"""The API at its edge: who asks too often is told when again, answers carry headers, no other origin is let in."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from mizzen_controlplane.app import create_app
from mizzen_controlplane.kit.request_rates import REMEMBERED, Rate
from mizzen_controlplane.kit.security_headers import ALWAYS, secured
from mizzen_controlplane.kit.settings import Settings
from support.controlplane import write_secrets


def test_a_bucket_refills_and_lets_a_burst_through() -> None:
    now = 0.0
    rate = Rate(2.0, 3.0, lambda: now)
    for _ in range(3):
        assert rate.wait("a") == 0
        rate.spend("a")
    assert rate.wait("a") == 0.5
    assert rate.wait("b") == 0, "each has a bucket of its own"
    now = 0.5
    assert rate.wait("a") == 0


def test_buckets_of_many_names_stay_bounded() -> None:
    rate = Rate(1.0, 1.0, lambda: 0.0)
    for number in range(REMEMBERED + 10):
        rate.spend(str(number))
    assert rate.wait("0") == 0, "forgotten"
    assert rate.wait(str(REMEMBERED + 9)) > 0


def test_headers_that_an_answer_sets_itself_stay() -> None:
    own = (b"Content-Security-Policy", b"default-src 'self'")
    names = [name for name, _ in secured([own], "https")]
    assert names.count(b"content-security-policy") == 0
    assert b"strict-transport-security" in names


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, dict[str, str]]]:
    """A control plane that takes five refusals a minute and two requests a second."""
    folder = tmp_path_factory.mktemp("edges")
    tokens = write_secrets(folder / "secrets")
    url = f"sqlite+aiosqlite:///{folder / 'controlplane.db'}"
    few: dict[str, Any] = {"refusals_per_minute": 5, "requests_per_second": 2}
    settings = Settings(url, folder, folder / "secrets", **few)
    with TestClient(create_app(settings)) as client:
        yield client, {name: f"Bearer {token}" for name, token in tokens.items()}


def test_an_address_that_fails_too_often_is_told_when_again_and_shuts_nobody_out(
    api: tuple[TestClient, dict[str, str]],
) -> None:
    client, tokens = api
    answers = [client.get("/api/v1/projects", headers={"Authorization": f"Bearer x{n}"}) for n in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert answers[-1].json()["code"] == "rate_limited"
    assert client.get("/healthz").status_code == 200
    assert client.get("/internal/v1/access/snapshot", headers={"Authorization": tokens["gateway"]}).status_code == 200


def test_a_known_caller_that_asks_too_often_is_told_when_again(api: tuple[TestClient, dict[str, str]]) -> None:
    client, tokens = api
    answers = [client.get("/api/v1/projects", headers={"Authorization": tokens["admin"]}) for _ in range(60)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert answers[0].status_code == 200
    assert refused
    assert refused[0].headers["Retry-After"] == "1"


def test_every_answer_carries_the_headers_and_none_lets_another_origin_in(
    api: tuple[TestClient, dict[str, str]],
) -> None:
    client, _ = api
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for answer in (client.get("/healthz", headers=asked), client.options("/api/v1/projects", headers=asked)):
        assert {name.decode(): value.decode() for name, value in ALWAYS}.items() <= dict(answer.headers).items()
        assert not [name for name in answer.headers if name.startswith("access-control")]
