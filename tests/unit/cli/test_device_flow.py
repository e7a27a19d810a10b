"""The device flow at the command line: it polls as it is told, and says what came of it."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from mizzen_cli.device_flow import DeviceFlow
from mizzen_cli.errors import CommandError

WAY = {"name": "company", "issuer": "https://id.example.com", "device_client_id": "mizzen-cli", "scopes": ["openid"]}
CODE = {"device_code": "d", "user_code": "ABCD-EFGH", "verification_uri": "https://id.example.com/device",
        "expires_in": 60, "interval": 5}  # fmt: skip
DOCUMENT = {
    "issuer": WAY["issuer"],
    "device_authorization_endpoint": "https://id.example.com/begin",
    "token_endpoint": "https://id.example.com/token",
}


class Flow:
    """A flow whose provider gives these answers to polls, and whose clock is waited on."""

    def __init__(self, *answers: dict[str, Any], document: dict[str, Any] = DOCUMENT) -> None:
        self.answers, self.document = list(answers), document
        self.waited: list[float] = []
        self.forms: list[dict[str, list[str]]] = []
        self.told: list[dict[str, Any]] = []

    def run(self) -> dict[str, Any]:
        clock: Callable[[], float] = lambda: sum(self.waited)  # noqa: E731 - one line, and a name
        with httpx.Client(transport=httpx.MockTransport(self.answer)) as http:
            return DeviceFlow(WAY, http, self.waited.append, clock).tokens(self.told.append)

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json=self.document)
        self.forms.append(parse_qs(request.content.decode()))
        body = CODE if request.url.path == "/begin" else self.answers.pop(0)
        return httpx.Response(400 if "error" in body else 200, content=json.dumps(body))


def test_it_polls_at_the_interval_and_slower_when_told() -> None:
    flow = Flow({"error": "authorization_pending"}, {"error": "slow_down"}, {"id_token": "t"})
    assert flow.run() == {"id_token": "t"}
    assert flow.waited == [5, 5, 10]
    assert flow.told == [CODE]
    begun, polled = flow.forms[0], flow.forms[-1]
    assert begun["code_challenge_method"] == ["S256"]
    assert len(polled["code_verifier"][0]) >= 43
    assert polled["client_id"] == ["mizzen-cli"]


@pytest.mark.parametrize(
    ("answers", "said"),
    [([{"error": "access_denied"}], "access_denied"), ([{"error": "expired_token"}], "not confirmed in time"),
     ([{"error": "authorization_pending"}] * 20, "not confirmed in time")],
    ids=["denied", "expired", "never confirmed"],
)  # fmt: skip
def test_it_ends_where_nothing_comes_of_it(answers: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        Flow(*answers).run()


def test_a_provider_is_not_asked_without_tls_nor_under_another_name() -> None:
    for document in (
        {**DOCUMENT, "token_endpoint": "http://id.example.com/token"},
        {**DOCUMENT, "issuer": "https://x"},
    ):
        with pytest.raises(CommandError, match=r"TLS|calls itself"):
            Flow({"id_token": "t"}, document=document).run()
