"""What Kubernetes demands of a definition, and what the project promises of it."""

from collections.abc import Iterator
from typing import Any

import pytest
from crdgen.definition import SIZE_LIMIT
from crdgen.kinds import KINDS
from support.definitions import ROOT, definition, schema_of

PLURALS = tuple(kind.plural for kind in KINDS)
every_kind = pytest.mark.parametrize("plural", PLURALS)


def _nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from _nodes(part, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _nodes(schema[key], f"{path}[]")


@every_kind
def test_a_definition_is_smaller_than_the_limit(plural: str) -> None:
    assert (ROOT / f"crds/{plural}.mizzen.dev.yaml").stat().st_size < SIZE_LIMIT


@every_kind
def test_every_node_is_structural(plural: str) -> None:
    for path, node in _nodes(schema_of(definition(plural))):
        assert "type" in node or node.get("x-kubernetes-int-or-string"), path
        assert not {"$ref", "anyOf", "oneOf", "allOf", "not", "title", "const", "uniqueItems"} & node.keys(), path
        assert node.get("additionalProperties") not in (True, False), path
        assert not ("properties" in node and "additionalProperties" in node), path
        assert node.get("type") != "number", f"{path}: a custom resource holds no floats"


@every_kind
def test_every_field_has_a_description(plural: str) -> None:
    fields = [(path, node) for path, node in _nodes(schema_of(definition(plural))) if not path.endswith("[]")]
    assert [path for path, node in fields if path != ".metadata" and not node.get("description")] == []


@every_kind
def test_every_list_and_map_of_a_spec_is_bounded(plural: str) -> None:
    unbounded = [
        path
        for path, node in _nodes(schema_of(definition(plural))["properties"]["spec"], "spec")
        if (node.get("type") == "array" and "maxItems" not in node)
        or ("additionalProperties" in node and "maxProperties" not in node)
    ]
    assert unbounded == []


@every_kind
def test_every_text_of_a_spec_is_bounded(plural: str) -> None:
    unbounded = [
        path
        for path, node in _nodes(schema_of(definition(plural))["properties"]["spec"], "spec")
        if node.get("type") == "string" and not {"maxLength", "enum"} & node.keys()
        if "pattern" not in node or "{64}" not in node["pattern"]
    ]
    assert [path for path in unbounded if not path.endswith(("nodeSelector[]", "labels[]", "annotations[]"))] == []


@every_kind
def test_keys_of_list_maps_are_required(plural: str) -> None:
    for path, node in _nodes(schema_of(definition(plural))):
        for key in node.get("x-kubernetes-list-map-keys", ()):
            assert key in node["items"]["required"], f"{path}: {key}"


@pytest.mark.parametrize("plural", [plural for plural in PLURALS if plural != "servingruntimes"])
def test_a_status_makes_tools_wait_for_the_first_pass(plural: str) -> None:
    status = schema_of(definition(plural))["properties"]["status"]
    assert status["default"] == {"observedGeneration": -1}


def test_the_scale_subresource_reads_fields_that_exist() -> None:
    version = definition("modeldeployments")["spec"]["versions"][0]
    schema = schema_of(definition("modeldeployments"))
    for path in version["subresources"]["scale"].values():
        node = schema
        for part in path.strip(".").split("."):
            node = node["properties"][part]
    assert schema["properties"]["spec"]["properties"]["replicas"]["default"] == 1


def test_columns_are_those_of_the_reference() -> None:
    columns = definition("modeldeployments")["spec"]["versions"][0]["additionalPrinterColumns"]
    shown = [column["name"] for column in columns if not column.get("priority")]
    assert shown == ["Ready", "Reason", "Ready Replicas", "Desired", "Model", "Age"]
    assert [column["name"] for column in columns if column.get("priority")] == ["Engine", "Revision", "URL"]


def test_short_names_tell_the_kinds_apart() -> None:
    names = {plural: definition(plural)["spec"]["names"] for plural in PLURALS}
    assert {plural: each["shortNames"] for plural, each in names.items()} == {
        "modeldeployments": ["mzd"],
        "servingruntimes": ["mzr"],
        "acceleratorclasses": ["mzac"],
        "projects": ["mzp"],
        "modelroutes": ["mzroute"],
    }
    assert all(each["categories"] == ["mizzen"] for each in names.values())


@every_kind
def test_columns_read_fields_that_exist(plural: str) -> None:
    for column in definition(plural)["spec"]["versions"][0]["additionalPrinterColumns"]:
        node = schema_of(definition(plural))
        for part in column["jsonPath"].split("[")[0].strip(".").split("."):
            node = node.get("properties", {}).get(part, {"type": "string"} if "metadata" in column["jsonPath"] else {})
            assert node, f"{column['name']}: {column['jsonPath']}"


def test_rules_name_fields_that_exist() -> None:
    for plural in PLURALS:
        for path, node in _nodes(schema_of(definition(plural))):
            for rule in node.get("x-kubernetes-validations", ()):
                here = node
                for part in rule.get("fieldPath", "").strip(".").split("."):
                    here = here["properties"][part] if part else here
                assert len(rule["message"]) <= 2048, path
