"""`docs/reference/gateway-file.md`: every field of gateway.yaml, from the models that check it."""

from collections.abc import Iterator
from typing import Any

from mizzen_gateway.standalone.config import GatewayFile

Schema = dict[str, Any]
_OPENING = """# gateway.yaml

What `mizzen gateway --config gateway.yaml` goes by; [how to run the gateway alone](../how-to/gateway-alone.md) begins
with a small one. Unknown fields are refused. Relative paths are relative to the file. Secrets never stand in it: `env`
names a variable, `file` a file, which is read again when it changes. Amounts of money are in `currency`, as many digits
as they have.

A change is taken up within a second, or at once with SIGHUP; what a running process keeps (`listen`, `name`,
`data_dir`, `pepper`, `limits_store`, `timeouts`, `overload`, `traces`, `max_body_bytes`, `receiving_bytes`,
`access_log`, `forward_headers`, `media_hosts`, and `metering` but for `keep_days`) counts from the
next start, and the log says so.

| field | type | default | meaning |
|---|---|---|---|
"""


def gateway_file_page() -> str:
    """The whole page."""
    schema = GatewayFile.model_json_schema()
    return _OPENING + "\n".join(_row(*found) for found in _fields(schema, schema["$defs"], "")) + "\n"


def _fields(schema: Schema, named: dict[str, Schema], prefix: str) -> Iterator[tuple[str, Schema, bool]]:
    for name, written in schema.get("properties", {}).items():
        node = _plain(written, named)
        path = f"{prefix}{name}"
        yield path, node, name in schema.get("required", ())
        inner = _plain(node["items"], named) if "items" in node else node
        yield from _fields(inner, named, f"{path}[]." if "items" in node else f"{path}.")


def _plain(node: Schema, named: dict[str, Schema]) -> Schema:
    """Without references and without the `null` of what may be left out; what stands beside a reference wins."""
    choices = [one for one in node.get("anyOf", ()) if one.get("type") != "null"]
    found = {name: value for name, value in node.items() if name not in {"anyOf", "$ref"}}
    if "default" in found and found["default"] is None:
        del found["default"]
    if len(choices) == 1:
        return _plain({**choices[0], **found}, named)
    if len(choices) > 1:
        numbers = [one for one in choices if one.get("type") in {"number", "integer"}]
        return {
            **(numbers or choices)[0],
            **found,
            "choices": [value for one in choices for value in one.get("enum", ())],
        }
    if "$ref" in node:
        return {**named[node["$ref"].rpartition("/")[2]], **found}
    return found


def _row(path: str, node: Schema, required: bool) -> str:
    default = node.get("default")
    shown = (
        "*required*"
        if required
        else ""
        if default is None or isinstance(default, dict) or default == []
        else f"`{default}`"
    )
    cells = (f"`{path}`", _type(node), shown, node.get("description", ""))
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _type(node: Schema) -> str:
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"])
    if node.get("type") == "array":
        inner = node["items"]
        return f"list of {'objects' if '$ref' in inner else _type(inner)}{_bounds(node, 'minItems', 'maxItems')}"
    bounds = _bounds(node, "minimum", "maximum") or _bounds(node, "exclusiveMinimum", "maximum", "more than ")
    kind = {"path": "path", "date-time": "time with zone"}.get(node.get("format", ""), node.get("type", "any"))
    choices = "".join(f", `{value}`" for value in node.get("choices", ()))
    return f"{kind}{bounds}{_bounds(node, 'minLength', 'maxLength')}{choices}"


def _bounds(node: Schema, low: str, high: str, before: str = "") -> str:
    if low not in node:
        return f", at most {node[high]:g}" if high in node and low != "exclusiveMinimum" else ""
    if high not in node:
        return f", {before or 'at least '}{node[low]:g}"
    return f", {before}{node[low]:g} to {node[high]:.16g}"
