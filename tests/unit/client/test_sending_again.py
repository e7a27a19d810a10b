"""What the Python client sends again, and what it never does."""

import json
from collections.abc import Callable

import httpx
import pytest
from mizzen_client import Conflict, Invalid, Mizzen, ServerFailed, TooManyRequests, Unreachable
from mizzen_client.operations import Operations
from support.openapi_operations import operation_names

Answers = list[int | Exception]
PROBLEM = {"code": "c", "detail": "d", "request_id": "r", "errors": [{"pointer": "/name", "detail": "too long"}]}


@pytest.fixture
def asked() -> list[httpx.Request]:
    """What arrived."""
    return []


@pytest.fixture
def mizzen(asked: list[httpx.Request], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Mizzen]:
    """Makes a client whose control plane answers in this order."""
    monkeypatch.setattr("time.sleep", lambda _: None)

    def make(*answers: int | Exception) -> Mizzen:
        left: Answers = list(answers)

        def answer(request: httpx.Request) -> httpx.Response:
            asked.append(request)
            said = left.pop(0)
            if isinstance(said, Exception):
                raise said
            return httpx.Response(said, json={"items": []} if said < 400 else PROBLEM)

        client = Mizzen("http://control.test", "t")
        client.transport.http = httpx.Client(base_url="http://control.test", transport=httpx.MockTransport(answer))
        return client

    return make


@pytest.mark.parametrize("trouble", [503, 429, httpx.ConnectError("no"), httpx.ReadTimeout("no")])
def test_a_read_is_sent_again_until_it_is_answered(
    mizzen: Callable[..., Mizzen], asked: list[httpx.Request], trouble: int | Exception
) -> None:
    assert mizzen(trouble, trouble, 200).list_projects() == {"items": []}
    assert len(asked) == 3


def test_a_creation_is_sent_again_with_the_same_key_and_body(
    mizzen: Callable[..., Mizzen], asked: list[httpx.Request]
) -> None:
    mizzen(httpx.ReadTimeout("no"), 201).create_project({"name": "p"})
    assert len({request.headers["idempotency-key"] for request in asked}) == 1
    assert [json.loads(request.content) for request in asked] == [{"name": "p"}] * 2


def test_two_creations_have_two_keys(mizzen: Callable[..., Mizzen], asked: list[httpx.Request]) -> None:
    client = mizzen(201, 201)
    client.create_project({"name": "p"})
    client.create_project({"name": "p"})
    assert len({request.headers["idempotency-key"] for request in asked}) == 2


def test_a_change_that_may_not_happen_twice_is_sent_once(
    mizzen: Callable[..., Mizzen], asked: list[httpx.Request]
) -> None:
    with pytest.raises(Unreachable):
        mizzen(httpx.ReadTimeout("no"), 200).change_project("p", {"labels": {}})
    assert len(asked) == 1


def test_what_is_refused_for_good_is_sent_once(mizzen: Callable[..., Mizzen], asked: list[httpx.Request]) -> None:
    with pytest.raises(Conflict):
        mizzen(409, 200).create_project({"name": "p"})
    assert len(asked) == 1


def test_tries_end(mizzen: Callable[..., Mizzen], asked: list[httpx.Request]) -> None:
    with pytest.raises(ServerFailed):
        mizzen(*[503] * 9).list_projects()
    with pytest.raises(TooManyRequests):
        mizzen(*[429] * 9).list_projects()
    assert len(asked) == 8


def test_a_refusal_tells_code_place_and_request(mizzen: Callable[..., Mizzen]) -> None:
    with pytest.raises(Invalid) as refused:
        mizzen(422).create_project({"name": "p"})
    error = refused.value
    assert (error.code, error.pointer, error.detail, error.request_id) == ("c", "/name", "d", "r")


def test_every_operation_of_the_document_is_a_method() -> None:
    assert {name for name in operation_names() if not callable(getattr(Operations, name, None))} == set()
