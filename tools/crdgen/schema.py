"""How does a Pydantic model become a structural OpenAPI schema, as a CustomResourceDefinition needs it?"""

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

_DROPPED = ("title", "$defs", "discriminator", "format")


def structural_schema(model: type[BaseModel]) -> Schema:
    """Schema of `model` without references, nulls, constants or closed maps; free-form maps keep unknown fields."""
    raw = model.model_json_schema(by_alias=True)
    return _structural(raw, raw.get("$defs", {}))


def _structural(raw: Schema, definitions: dict[str, Schema]) -> Schema:
    node = _without_reference(raw, definitions)
    node = {key: value for key, value in node.items() if key not in _DROPPED or value == "date-time"}
    if "const" in node:
        node["enum"] = [node.pop("const")]
    node = _free_form(node)
    if "properties" in node:
        node["properties"] = {name: _structural(part, definitions) for name, part in node["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            node[key] = _structural(node[key], definitions)
    return _default(node)


def _without_reference(raw: Schema, definitions: dict[str, Schema]) -> Schema:
    """The node itself: a reference replaced by what it means, `X or null` by X. What stands beside it wins."""
    node = dict(raw)
    if "anyOf" in node:
        chosen = [option for option in node.pop("anyOf") if option.get("type") != "null"]
        if len(chosen) != 1:
            raise ValueError(f"a structural schema has no unions: {raw}")
        node = {**chosen[0], **node}
    if "$ref" in node:
        name = node.pop("$ref").rsplit("/", 1)[-1]
        node = {**_without_reference(definitions[name], definitions), **node}
    return node


def _free_form(node: Schema) -> Schema:
    extra = node.get("additionalProperties")
    if extra is True:
        node["x-kubernetes-preserve-unknown-fields"] = True
    if isinstance(extra, bool):
        del node["additionalProperties"]
    return node


def _default(node: Schema) -> Schema:
    """An absent default instead of null; `{}` for a part whose own fields have the defaults."""
    if "default" in node and node["default"] is None:
        del node["default"]
    elif "properties" in node and "default" in node:
        node["default"] = {}
    return node


def whole_default(node: Schema) -> Any:
    """What stands there once a default and the defaults inside it are filled in; None where there is no default."""
    default = node.get("default")
    if not isinstance(default, dict):
        return default
    inside = {name: part for name, part in node.get("properties", {}).items() if "default" in part}
    return {**{name: whole_default(part) for name, part in inside.items()}, **default}


def every_node(schema: Schema, visit: Callable[[Schema], None]) -> None:
    """Call `visit` with the node and with every node below it."""
    visit(schema)
    below = [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]
    for part in below:
        if isinstance(part, dict):
            every_node(part, visit)


def node_at(schema: Schema, path: str) -> Schema:
    """The node at a path of rules: `spec.adapters.[].versionRef`."""
    for part in filter(None, path.split(".")):
        schema = schema["items"] if part == "[]" else schema["properties"][part]
    return schema
