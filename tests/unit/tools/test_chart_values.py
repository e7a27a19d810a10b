"""The values are all described and in the schema, which takes the defaults."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from reference.chart_values import values_of

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "charts" / "mizzen"
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
TEXT = (CHART / "values.yaml").read_text()


def in_schema(node: Mapping[str, Any], path: str) -> Mapping[str, Any] | None:
    """The schema of a value; None where an unknown name would be refused."""
    for name in path.split("."):
        if "$ref" in node:
            node = SCHEMA["definitions"][node["$ref"].rpartition("/")[2]]
        if name not in node.get("properties", {}):
            return None
        node = node["properties"][name]
    return node


def paths_of(node: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Every value that the schema names."""
    for name, below in node.get("properties", {}).items():
        if "$ref" in below:
            below = SCHEMA["definitions"][below["$ref"].rpartition("/")[2]]
        yield f"{prefix}{name}"
        yield from paths_of(below, f"{prefix}{name}.")


def test_the_schema_takes_the_defaults() -> None:
    jsonschema.validate(yaml.safe_load(TEXT), SCHEMA)
    assert SCHEMA["additionalProperties"] is False


def test_the_schema_takes_the_defaults_of_the_release_before_which_helm_may_reuse() -> None:
    before = ROOT / "tests" / "releases" / "0.2.0-rc.1" / "charts" / "mizzen" / "values.yaml"
    refused = jsonschema.Draft7Validator(SCHEMA).iter_errors(yaml.safe_load(before.read_text()))
    assert [f"{'/'.join(map(str, one.path))}: {one.message}" for one in refused] == []


def test_every_value_is_described_and_in_the_schema_and_the_other_way_round() -> None:
    described = {value.path for value in values_of(TEXT)}
    assert [path for path in described if in_schema(SCHEMA, path) is None] == []
    above = {".".join(path.split(".")[:depth]) for path in described for depth in range(1, path.count(".") + 1)}
    below = {path for path in paths_of(SCHEMA) if any(path.startswith(f"{one}.") for one in described)}
    assert set(paths_of(SCHEMA)) - described - above - below == {"global"}


def test_a_value_without_a_comment_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a\.b has no comment"):
        list(values_of("a:\n  b: 1\n"))
