"""Every path that exists, and only those."""

import pytest
from mizzen_gateway.protocols.surface import Route, find
from mizzen_gateway.stages import Refusal


@pytest.mark.parametrize(
    ("method", "path", "action", "model", "version"),
    [
        (b"POST", b"/v1/chat/completions", "chat.completions", "", None),
        (b"GET", b"/v1/models", "models.list", "", None),
        (b"HEAD", b"/v1/models", "models.list", "", None),
        (b"GET", b"/v1/models/a/b", "models.get", "a/b", None),
        (b"GET", b"/v1/models/a%2Fb", "models.get", "a/b", None),
        (b"GET", b"/v2", "server.metadata", "", None),
        (b"GET", b"/v2/models/m", "model.metadata", "m", None),
        (b"GET", b"/v2/models/m/versions/3", "model.metadata", "m", "3"),
        (b"GET", b"/v2/models/m/ready", "model.ready", "m", None),
        (b"GET", b"/v2/models/m/versions/3/ready", "model.ready", "m", "3"),
        (b"POST", b"/v2/models/m/infer", "infer", "m", None),
        (b"POST", b"/v2/models/p/m/versions/3/infer", "infer", "p/m", "3"),
        (b"POST", b"/v2/models/p%2Fm/infer", "infer", "p/m", None),
    ],
)
def test_a_path_means_one_thing(method: bytes, path: bytes, action: str, model: str, version: str | None) -> None:
    route = find(method, path)
    assert isinstance(route, Route), route
    assert (route.action, route.model, route.version) == (action, model, version)
    assert "m" not in route.template.replace("{model}", "").split("/"), "a template holds no name"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        (b"GET", b"/v1/chat/completions", 405),
        (b"DELETE", b"/v1/models/m", 405),
        (b"POST", b"/v1/models", 405),
        (b"POST", b"/v2/models/m", 405),
        (b"GET", b"/", 404),
        (b"GET", b"/v1", 404),
        (b"POST", b"/V1/chat/completions", 404),
        (b"POST", b"/v1/chat/completions/", 404),
        (b"POST", b"/v1//chat/completions", 404),
        (b"GET", b"/metrics", 404),
        (b"GET", b"/healthz", 404),
        (b"POST", b"/v2/models/m/versions/x/infer", 404),
        (b"POST", b"/v2/models/m/infre", 404),
        (b"POST", b"/v2/repository/index", 403),
    ],
)
def test_anything_else_is_refused(method: bytes, path: bytes, status: int) -> None:
    refusal = find(method, path)
    assert isinstance(refusal, Refusal)
    assert refusal.status == status


def test_a_verb_that_was_mistyped_is_told_which_there_is() -> None:
    refusal = find(b"POST", b"/v2/models/m/infre")
    assert isinstance(refusal, Refusal)
    assert "POST /v2/models/{model}/infer" in refusal.message
