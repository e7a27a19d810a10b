"""The bodies that the OpenAPI document shows."""

from collections.abc import Mapping
from typing import Any


def example_of(document: Mapping[str, Any], method: str, path: str) -> dict[str, Any]:
    """The first body that the operation shows; AssertionError where it shows none."""
    content = document["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]
    found = next(_shown(document, content["schema"]), None)
    assert isinstance(found, dict), f"{method} {path} shows no example: give its model `model_config = example(...)`"
    return found


def _shown(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    yield from schema.get("examples", ())
    if "$ref" in schema:
        yield from _shown(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    for each in schema.get("anyOf", ()):
        yield from _shown(document, each)
