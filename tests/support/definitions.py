"""The generated definitions, and what an API server does with them: defaults, schema, list types, CEL rules."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from cel_expr_python import cel

ROOT = Path(__file__).resolve().parents[2]
Schema = dict[str, Any]


@cache
def definition(plural: str, folder: Path = ROOT / "crds") -> dict[str, Any]:
    """The CustomResourceDefinition of a kind, by its plural."""
    loaded: dict[str, Any] = yaml.safe_load((folder / f"{plural}.mizzen.dev.yaml").read_text())
    return loaded


def schema_of(crd: Mapping[str, Any]) -> Schema:
    """The schema of its only version."""
    schema: Schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def defaulted(schema: Schema, value: Any) -> Any:
    """A copy of `value` with the schema's defaults, as an API server stores it; nulls of known fields go."""
    if isinstance(value, dict):
        properties, extra = schema.get("properties", {}), schema.get("additionalProperties")
        result = {name: value[name] for name in value if not (name in properties and value[name] is None)}
        for name, part in properties.items():
            if name not in result and "default" in part:
                result[name] = part["default"]
        parts = {name: properties.get(name, extra) for name in result}
        return {name: defaulted(parts[name] or {}, result[name]) for name in result}
    if isinstance(value, list):
        return [defaulted(schema.get("items", {}), entry) for entry in value]
    return value


def refusals(schema: Schema, value: Any, old: Any = None) -> list[str]:
    """What an API server says to an object with defaults: `path: message`, schema first, then rules."""
    found = list(_schema_refusals(schema, value)) + list(_list_refusals(schema, value, ""))
    return found or list(_rule_refusals(schema, value, old, ""))


def _schema_refusals(schema: Schema, value: Any) -> Iterator[str]:
    strict = _for_json_schema(schema)
    for error in jsonschema.Draft202012Validator(strict).iter_errors(value):
        yield f"{error.json_path.removeprefix('$.')}: {error.message}"


def _for_json_schema(schema: Schema) -> Schema:
    """The same constraints in JSON schema's words: closed maps, and what is a number or a text."""
    node = {key: part for key, part in schema.items() if not key.startswith("x-")}
    if schema.get("x-kubernetes-int-or-string"):
        node["type"] = ["integer", "string"]
    if "properties" in node:
        node["properties"] = {name: _for_json_schema(part) for name, part in node["properties"].items()}
        node["additionalProperties"] = False
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            node[key] = _for_json_schema(node[key])
    return node


def _list_refusals(schema: Schema, value: Any, path: str) -> Iterator[str]:
    kind = schema.get("x-kubernetes-list-type")
    if kind and isinstance(value, list):
        keys = schema.get("x-kubernetes-list-map-keys", [])
        seen = [tuple(entry.get(key) for key in keys) if kind == "map" else entry for entry in value]
        if len(seen) != len(set(seen)):
            yield f"{path}: Duplicate value"
    for name, part, entry in _below(schema, value):
        yield from _list_refusals(part, entry, _joined(path, name))


def _rule_refusals(schema: Schema, value: Any, old: Any, path: str) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", ()):
        if "oldSelf" in rule["rule"] and old is None:
            continue
        if not evaluate(rule["rule"], value, old):
            yield f"{path}{rule.get('fieldPath', '')}: {rule['message']}".removeprefix(".").removeprefix(": ")
    for name, part, entry in _below(schema, value):
        before = old.get(name) if isinstance(old, dict) and isinstance(name, str) else None
        yield from _rule_refusals(part, entry, before, _joined(path, name))


def _below(schema: Schema, value: Any) -> Iterator[tuple[str | int, Schema, Any]]:
    if isinstance(value, dict):
        for name, part in schema.get("properties", {}).items():
            if name in value:
                yield name, part, value[name]
    elif isinstance(value, list) and "items" in schema:
        for position, entry in enumerate(value):
            yield position, schema["items"], entry


def _joined(path: str, name: str | int) -> str:
    return f"{path}[{name}]" if isinstance(name, int) else f"{path}.{name}".removeprefix(".")


def evaluate(expression: str, value: Any, old: Any = None) -> bool:
    """The result of a CEL expression about `self` and `oldSelf`."""
    data = {"self": value} if old is None else {"self": value, "oldSelf": old}
    result = _compiled(expression).eval(data=data).value()
    assert isinstance(result, bool), f"{expression} gave {result}"
    return result


@cache
def _compiled(expression: str) -> Any:
    return _environment().compile(expression)


@cache
def _environment() -> Any:
    """CEL with the one function of Kubernetes' list library that our rules use."""
    is_sorted = cel.Overload(
        "list_is_sorted",
        return_type=cel.Type.BOOL,
        parameters=[cel.Type.List(cel.Type.DYN)],
        is_member=True,
        impl=lambda listed: list(listed) == sorted(listed),
    )
    return cel.NewEnv(
        variables={"self": cel.Type.DYN, "oldSelf": cel.Type.DYN},
        functions=[cel.FunctionDecl("isSorted", [is_sorted])],
    )


def merged(base: Any, patch: Any) -> Any:
    """JSON merge patch (RFC 7396), but with null kept out only where it removes."""
    if not isinstance(base, dict) or not isinstance(patch, dict):
        return patch
    result = {**base, **{name: merged(base.get(name), part) for name, part in patch.items()}}
    return {name: part for name, part in result.items() if part is not None}
