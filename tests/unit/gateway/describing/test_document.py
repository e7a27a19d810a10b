"""The OpenAPI document of the gateway is valid, has every path that there is, and says the bounds that hold."""

import ast
import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from mizzen_gateway.batches.keeper import OTHERWISE, PASSED_ON
from mizzen_gateway.describing.document import SAID, document, operations
from mizzen_gateway.describing.refusals import REFUSALS
from mizzen_gateway.protocols.openai.operations import OPERATIONS
from mizzen_gateway.protocols.openai.parameters import first_refusal
from mizzen_gateway.protocols.openai.rules import RULES
from mizzen_gateway.protocols.surface import GETS, KEPT_PATHS, POSTS, Action, Route, find
from openapi_spec_validator import OpenAPIV31SpecValidator

ROOT = Path(__file__).parents[4]
DOCUMENT = document("1")
BOUNDED: dict[str, Any] = DOCUMENT["components"]["schemas"]["BoundedFields"]["properties"]
NAMES = {"model": "m", "version": "3", "id": "file_1"}
RIGHT: dict[str, dict[str, Any]] = {
    "chat.completions": {"messages": [{"role": "user", "content": "hi"}]},
    "completions": {"prompt": "hi"},
    "responses": {"input": "hi"},
    "embeddings": {"input": ["hi"]},
    "classify": {"input": "hi"},
    "rerank": {"query": "a", "documents": ["b"]},
    "score": {"text_1": "a", "text_2": ["b"]},
    "images.generations": {"prompt": "a"},
}


def test_it_is_valid_openapi() -> None:
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []


def test_what_is_in_the_reference_is_what_the_gateway_says() -> None:
    told = json.loads((ROOT / "docs/reference/gateway-openapi.json").read_text())
    assert told["paths"] == document(told["info"]["version"])["paths"]


def test_every_path_of_it_is_one_that_the_gateway_knows() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for method, said in methods.items():
            route = find(method.upper().encode(), path.format(**NAMES).encode())
            assert isinstance(route, Route), f"{method} {path}"
            assert (route.template, route.action) == (path, said["operationId"].removesuffix(".version"))
            assert route.public == (said.get("security") == [])


def test_every_path_that_the_gateway_knows_is_in_it() -> None:
    told = {(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert {("post", path.decode()) for path in POSTS} <= told
    assert {("get", path.decode().rstrip("/")) for path in GETS} <= told
    assert {one.action for one in operations()} == set(get_args(Action)) <= set(SAID)
    assert {kind for kind in KEPT_PATHS if ("get", f"/v1/{kind}/{{id}}") in told} == set(KEPT_PATHS)


@pytest.mark.parametrize("field", sorted(RULES))
def test_the_bounds_of_a_field_are_those_that_refuse(field: str) -> None:
    schema = {"$ref": "#/components/schemas/BoundedFields", "components": DOCUMENT["components"]}
    checker = jsonschema.Draft202012Validator(schema)
    tried: list[Any] = [
        None,
        True,
        False,
        "x",
        "",
        0,
        1,
        -1,
        1.5,
        [],
        {},
        ["x"] * 33,
        ["y" * 1001],
        [1] * 5000,
        [{}] * 513,
    ]
    tried += [BOUNDED[field].get("minimum"), BOUNDED[field].get("maximum"), (BOUNDED[field].get("maximum") or 0) + 1]
    tried += [
        [0] * (BOUNDED[field].get("maxItems") or 1),
        {"include_usage": 1},
        [{"type": "mcp"}],
        [{"type": "function"}],
    ]
    for value in tried:
        refused = value is not None and RULES[field](field, value) is not None
        told = not checker.is_valid({field: value})
        assert refused or not told, f"{field}: {str(value)[:50]} is taken, but the document refuses it"
        if "minimum" in BOUNDED[field] and isinstance(value, int) and not isinstance(value, bool):
            assert refused == told, f"{field}: {value}"


@pytest.mark.parametrize("action", sorted(RIGHT))
def test_a_body_that_is_taken_is_one_that_the_document_takes(action: str) -> None:
    path = next(one.path for one in operations() if one.action == action)
    written = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    checker = jsonschema.Draft202012Validator({**written, "components": DOCUMENT["components"]})
    body = {"model": "m", **RIGHT[action]}
    for lacking in ("", *body):
        tried = {name: value for name, value in body.items() if name != lacking}
        refused = first_refusal(OPERATIONS[action].check, tried) is not None
        assert refused == (not checker.is_valid(tried)) == bool(lacking), f"without {lacking!r}"


SOURCES = ROOT / "gateway/src/mizzen_gateway"
COMPUTED: dict[str, set[tuple[int, str]]] = {
    "batches/keeper.py": {
        *((status, code) for status, codes in PASSED_ON.items() for code in codes),
        *OTHERWISE.items(),
    },
    "protocols/open_inference/grpc/service.py": set(),  # one for the access log alone: its caller has left
    "protocols/openai/errors.py": set(),  # `invalid`, whose callers are looked at
    "protocols/surface.py": {(404, "file_not_found"), (404, "batch_not_found")},
    "settling.py": set(),  # nobody hears it: its caller has left
}
"""Refusals whose status or code is not written where they are made, by file: what they can be."""


def sources() -> dict[str, str]:
    """Files of the gateway, but for the description itself."""
    files = (file for file in SOURCES.rglob("*.py") if "describing" not in file.parts)
    return {str(file.relative_to(SOURCES)): file.read_text() for file in files}


def written(node: ast.expr | None, default: object = None) -> list[Any]:
    """What an expression can be, where it says so itself."""
    if node is None:
        return [default]
    if isinstance(node, ast.IfExp):
        return [*written(node.body), *written(node.orelse)]
    return [node.value if isinstance(node, ast.Constant) else None]


def refused_in(text: str) -> Iterator[tuple[int | None, str | None]]:
    """(status, code) of every refusal that is made; None for what is not written there."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            named = {one.arg: one.value for one in node.keywords}
            given = dict(enumerate(node.args))
            if node.func.id == "Refusal":
                codes = written(named.get("code", given.get(1)))
                yield from product(written(named.get("status", given.get(0))), codes)
            elif node.func.id == "invalid":
                yield from ((400, code) for code in written(named.get("code", given.get(2)), "invalid_parameter"))


def test_every_code_that_the_gateway_can_refuse_with_is_in_it() -> None:
    texts = sources()
    found = {name: list(refused_in(text)) for name, text in texts.items()}
    assert {name for name, refusals in found.items() if any(None in one for one in refusals)} == set(COMPUTED)
    made = {one for refusals in found.values() for one in refusals if None not in one}.union(*COMPUTED.values())
    told = {(status, code) for status, codes in REFUSALS.items() for code in codes}
    assert made == told, "a refusal that is not told of, or one that is never made"
    for status, codes in REFUSALS.items():
        body = DOCUMENT["components"]["responses"][f"v1_{status}"]["content"]["application/json"]["schema"]
        assert body["allOf"][1]["properties"]["error"]["properties"]["code"]["enum"] == sorted(codes)
        of_paths = [said["responses"] for methods in DOCUMENT["paths"].values() for said in methods.values()]
        assert any(str(status) in responses for responses in of_paths), "no operation answers it"


def test_what_files_and_batches_are_refused_with_is_told_at_their_paths() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for said in methods.values():
            kept = path.startswith(("/v1/files", "/v1/batches"))
            assert kept == ("409" in said["responses"])
            assert kept <= ("502" not in said["responses"]), "no engine is asked"
