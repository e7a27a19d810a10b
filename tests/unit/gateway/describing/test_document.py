"""The OpenAPI document of the gateway is valid, has every path that there is, and says the bounds that hold."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
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


def sources() -> list[str]:
    """Files of the gateway, but for the description itself."""
    files = (ROOT / "gateway/src/mizzen_gateway").rglob("*.py")
    return [file.read_text() for file in files if "describing" not in file.parts]


def refused_in(text: str) -> Iterator[tuple[int, str]]:
    """(status, code) of every refusal whose both are written out."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        given = [one.value if isinstance(one, ast.Constant) else None for one in node.args]
        named = {one.arg: one.value.value for one in node.keywords if isinstance(one.value, ast.Constant)}
        first, second, third = (*given, None, None, None)[:3]
        if node.func.id == "Refusal":
            status, code = named.get("status", first), named.get("code", second)
            if isinstance(status, int) and isinstance(code, str):
                yield status, code
        elif node.func.id == "invalid" and isinstance(third, str):
            yield 400, third


def test_every_code_that_the_gateway_refuses_with_is_in_it() -> None:
    texts = sources()
    found = {one for text in texts if "Refusal(" in text or "invalid(" in text for one in refused_in(text)}
    told = {(status, code) for status, codes in REFUSALS.items() for code in codes}
    assert {one for one in found if one[0] != 499} - told == set()
    assert len(found) > 30, "the places that refuse were found"
    everything = "".join(texts)
    assert {code for _, code in told if f'"{code}"' not in everything} == set()
