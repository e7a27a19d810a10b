"""`mizzen api` reaches every operation that the REST API describes, with the path and method that it describes."""

import re
from typing import Any

import httpx
import pytest
from mizzen_cli.client import ApiClient
from mizzen_cli.commands.api import _given, _require, _wanted
from mizzen_cli.context import Context
from mizzen_cli.errors import CommandError
from support.openapi_operations import operation_names, rest_api


def sent_by(operation: str) -> httpx.Request:
    """The request of an operation called with a value for all that it must have."""
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(204)

    api = ApiClient(Context("http://control.test", "http://gateway.test", "t"))
    api._transport.http = httpx.Client(base_url="http://control.test", transport=httpx.MockTransport(answer))
    given: dict[str, Any] = {}
    for name, kind in _wanted(operation).items():
        try:
            _require(operation, {name: kind}, given)
        except CommandError:
            given[name] = (b"x" if kind == "bytes" else {}) if name == "body" else "1"
    api.operation(operation, given)
    return sent[0]


def described(request: httpx.Request) -> bool:
    """Whether the document has such a request."""
    for template, item in rest_api()["paths"].items():
        pattern = re.sub(r"\\\{[a-z_]+\\\}", "1", re.escape(template))
        if re.fullmatch(pattern, request.url.path) and request.method.lower() in item:
            return True
    return False


def test_every_operation_can_be_called_by_its_name() -> None:
    names = operation_names()
    print(f"{len(names)} operations")
    assert [name for name in names if not described(sent_by(name))] == []


def test_a_value_that_an_operation_does_not_have_is_told() -> None:
    with pytest.raises(CommandError, match="colour=red is no value of this operation, which has: project, page_size"):
        _given(["colour=red"], _wanted("list_keys"))


def test_what_is_missing_is_told() -> None:
    with pytest.raises(CommandError, match="create_key needs -f FILE too"):
        _require("create_key", _wanted("create_key"), {"project": "p"})
