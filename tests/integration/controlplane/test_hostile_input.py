"""Hostile bodies, names, numbers and addresses are refused as problems, or kept as they are: we never fail."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

TEXTS = (
    "Ünïcode", "数据模型", "نموذج", "модель", "मॉडल", "🧨🧨", "a\u202eb", "a\u0000b", "\ud800", "\x1b[31m",
    "../../etc/passwd",     "' OR 1=1 --", "${jndi:ldap://x}", "<script>", "a\nb", "", "x" * 100_000,
)  # fmt: skip
NUMBERS = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "-1",
    "0.1",
    str(2**31),
    str(2**63),
    str(2**64),
    "9" * 5000,
    "null",
    "[]",
)
DEEP = 20_000
RAW: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "no UTF-8": b'{"name": "\xff\xfe"}',
    "a list": b"[]",
    "a word": b'"name"',
    "nothing said": b"null",
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"labels":' * DEEP + b"1" + b"}" * DEEP,
    "a name twice": b'{"name": "a", "name": {"a": []}}',
    "a UTF-16 text": '{"name": "a"}'.encode("utf-16"),
}
PLACES = (
    ("POST", "/api/v1/projects", {"name": "$"}),
    ("POST", "/api/v1/projects", {"name": "fine", "labels": {"$": "v"}}),
    ("PATCH", "/api/v1/projects/{p}", {"labels": {"team": "$"}}),
    ("POST", "/api/v1/projects/{p}/keys", {"name": "$"}),
    ("POST", "/api/v1/projects/{p}/keys", {"name": "k", "models": ["$"]}),
    ("POST", "/api/v1/projects/{p}/models", {"name": "$"}),
    ("POST", "/api/v1/projects/{p}/models", {"name": "m", "description": "$"}),
    ("POST", "/api/v1/projects/{p}/grants", {"model": "$"}),
    ("POST", "/api/v1/projects/{p}/limits", {"name": "$", "kind": "requests", "amount": 1, "window_seconds": 60}),
    ("POST", "/api/v1/rate-cards", {"name": "$", "prices": [{"model": "m", "per_request": "1"}]}),
    ("POST", "/api/v1/projects/{p}/webhooks", {"name": "$", "url": "https://$/", "events": ["$"]}),
    ("POST", "/api/v1/projects/{p}/budgets", {"name": "b", "amount": "$"}),
)
AMOUNTS = (
    ("POST", "/api/v1/projects/{p}/budgets", '{"name": "b", "amount": $}'),
    ("POST", "/api/v1/projects/{p}/limits", '{"name": "l", "kind": "requests", "amount": $, "window_seconds": 60}'),
    ("POST", "/api/v1/projects/{p}/limits", '{"name": "l", "kind": "requests", "amount": 1, "window_seconds": $}'),
    ("POST", "/api/v1/rate-cards", '{"name": "r", "prices": [{"model": "m", "per_request": $}]}'),
    ("POST", "/api/v1/projects/{p}/keys/k:rotate", '{"overlap_seconds": $}'),
)


@pytest.fixture
def fair(admin: httpx.Client, project: str) -> Iterator[Any]:
    """Sends something and says what was wrong with the answer; empty where nothing was."""

    def send(method: str, path: str, content: bytes, **headers: str) -> str:
        sent = {"Content-Type": "application/json", **headers}
        answer = admin.request(method, path.replace("{p}", project), content=content, headers=sent)
        if answer.status_code < 400:
            return ""
        told = answer.headers["content-type"] == "application/problem+json" and answer.json()["code"]
        return "" if told and answer.status_code < 500 else f"{method} {path} {content[:60]!r}: {answer.text[:200]}"

    yield send
    assert admin.get(f"/api/v1/projects/{project}").status_code == 200


def test_names_in_every_script_are_kept_or_refused(fair: Any) -> None:
    wrong = []
    for method, path, body in PLACES:
        for text in TEXTS:
            content = json.dumps(body).replace('"$"', json.dumps(text)).replace("$", "x").encode()
            wrong.append(fair(method, path, content))
    assert not any(wrong), "\n".join(filter(None, wrong))


def test_numbers_that_are_none_or_too_large_are_refused(fair: Any) -> None:
    wrong = [fair(method, path, body.replace("$", n).encode()) for method, path, body in AMOUNTS for n in NUMBERS]
    assert not any(wrong), "\n".join(filter(None, wrong))


@pytest.mark.parametrize("kind", RAW)
def test_bodies_that_are_no_object_are_refused(fair: Any, kind: str) -> None:
    wrong = [fair(method, path, RAW[kind]) for method, path in sorted({(place[0], place[1]) for place in PLACES})]
    assert not any(wrong), "\n".join(filter(None, wrong))


def test_ten_megabytes_and_a_zip_bomb_are_refused(fair: Any, admin: httpx.Client) -> None:
    large = admin.post("/api/v1/projects", content=b'{"name": "' + b"a" * 10_000_000 + b'"}')
    assert (large.status_code, large.json()["code"]) == (413, "body_too_large")
    bomb = gzip.compress(b'{"name": "' + b"a" * 100_000_000 + b'"}', 1)
    assert not fair("POST", "/api/v1/projects", bomb, **{"Content-Encoding": "gzip"})
    refused = admin.post("/api/v1/projects", content=bomb, headers={"Content-Encoding": "gzip"})
    assert refused.status_code in (400, 415, 422)


@pytest.mark.parametrize("text", ["%00", "%ff", "%ED%A0%80", "..%2f..", "%e2%80%ae", "a%0d%0aX-Evil:%201", "9" * 3000])
def test_addresses_and_filters_of_any_bytes_are_refused(fair: Any, text: str) -> None:
    paths = (f"/api/v1/projects/{text}", f"/api/v1/projects/{{p}}/keys/{text}", f"/api/v1/projects/{{p}}/models/{text}")
    asked = [f"/api/v1/{kind}?{name}={text}" for kind in ("projects", "audit-events", "invoices")
             for name in ("page_token", "filter", "order_by", "page_size")]  # fmt: skip
    asked.append(f"/api/v1/projects?filter=name%20%3D%20{text}")
    wrong = [fair("GET", path, b"") for path in (*paths, *asked)]
    assert not any(wrong), "\n".join(filter(None, wrong))
