"""`docs/reference/crds.md`: every field of every custom resource, from the same schema as the definitions."""

from collections.abc import Iterable, Iterator
from typing import Any

from crdgen.definition import Kind, kind_schema
from crdgen.schema import Schema, whole_default

_OPENING = """# Custom resources: fields

Group `mizzen.dev`, version `v1alpha1`. `kubectl explain modeldeployments.mizzen.dev.spec` shows the same text. A field
with a default may be left out; *required* ones may not. What a schema cannot say stands under *Rules*; the API server,
the REST API and the command line refuse a broken one with the same sentence.
"""


def fields_page(kinds: Iterable[Kind]) -> str:
    """The whole page."""
    return "\n".join([_OPENING, *(_chapter(kind) for kind in kinds)])


def _chapter(kind: Kind) -> str:
    schema = kind_schema(kind)
    lines = [
        f"## {kind.name}",
        "",
        f"{schema['description']} `{kind.plural}.mizzen.dev`, short name `{kind.short_name}`, {kind.scope.lower()}.",
        "",
        "| field | type | default | meaning |",
        "|---|---|---|---|",
        *(_row(path, node, required) for path, node, required in _fields(schema, "")),
        "",
        "### Rules",
        "",
        *(f"* `{_rule_path(rule.at, rule.field)}`: {rule.message}." for rule in kind.rules),
        "",
    ]
    return "\n".join(lines)


def _fields(schema: Schema, prefix: str) -> Iterator[tuple[str, Schema, bool]]:
    for name, node in schema.get("properties", {}).items():
        if prefix or name in ("spec", "status"):
            path = f"{prefix}.{name}" if prefix else name
            yield path, node, name in schema.get("required", ())
            yield from _fields(node.get("items", node), f"{path}[]" if "items" in node else path)


def _row(path: str, node: Schema, required: bool) -> str:
    default = "*required*" if required else f"`{_own_default(node)}`" if "default" in node else ""
    cells = (f"`{path}`", _type(node), default.replace("'", '"'), node.get("description", ""))
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _own_default(node: Schema) -> Any:
    """The default, without what each field inside tells of itself."""
    default, inside = node["default"], node.get("properties", {})
    if not isinstance(default, dict):
        return default
    return {name: value for name, value in default.items() if value != whole_default(inside.get(name, {}))}


def _type(node: Schema) -> str:
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"])
    if node.get("x-kubernetes-int-or-string"):
        return "integer or string"
    if node.get("type") == "array":
        return f"list of {_type(node['items'])}{_bounds(node, 'minItems', 'maxItems')}"
    if isinstance(node.get("additionalProperties"), dict):
        return f"map of {_type(node['additionalProperties'])}{_bounds(node, 'minProperties', 'maxProperties')}"
    return f"{node.get('type', 'any')}{_bounds(node, 'minimum', 'maximum')}{_bounds(node, 'minLength', 'maxLength')}"


def _bounds(node: Schema, low: str, high: str) -> str:
    if high not in node:
        return f", at least {node[low]}" if low in node else ""
    return f", {node[low]} to {node[high]}" if low in node else f", at most {node[high]}"


def _rule_path(at: str, field: str) -> str:
    return ".".join(part for part in (at.replace(".[]", "[]"), field) if part)
