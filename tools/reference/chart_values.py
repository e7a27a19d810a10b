"""`docs/reference/values.md`: every value of the chart, from the comments and defaults of its values.yaml."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

_OPENING = """# Values of the chart `mizzen`

Values that the chart does not know, or of the wrong shape, are refused before anything is installed
(`charts/mizzen/values.schema.json`).

| value | default | meaning |
|---|---|---|
"""


@dataclass(frozen=True)
class Value:
    """One value."""

    path: str
    default: str
    """As JSON."""
    meaning: str


def values_page(text: str) -> str:
    """The whole page, from the text of values.yaml."""
    rows = (f"| `{value.path}` | `{value.default}` | {value.meaning} |\n" for value in values_of(text))
    return _OPENING + "".join(rows)


def values_of(text: str) -> Iterator[Value]:
    """Every value with a comment right above it; raises ValueError for one without."""
    root = yaml.compose(text)
    assert isinstance(root, yaml.MappingNode), "values.yaml is a mapping"
    yield from _below(root, "", text.splitlines())


def _below(node: yaml.MappingNode, prefix: str, lines: list[str]) -> Iterator[Value]:
    for key, value in node.value:
        path = f"{prefix}{key.value}"
        above = lines[key.start_mark.line - 1].strip() if key.start_mark.line else ""
        described = above.startswith("#") and prefix != ""
        if described:
            default = json.dumps(yaml.safe_load(yaml.serialize(value)))
            yield Value(path, default, above.lstrip("# ").replace("|", "\\|"))
        elif isinstance(value, yaml.MappingNode) and value.value and not value.flow_style:
            yield from _below(value, f"{path}.", lines)
        else:
            raise ValueError(f"values.yaml: {path} has no comment in the line above it; say what it is")
