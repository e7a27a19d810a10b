"""No definition may refuse, or drop a field of, an object that the definition of an earlier release took."""

import copy
from pathlib import Path
from typing import Any

import pytest
from crdgen.compatibility import incompatibilities
from support.definitions import ROOT, definition, schema_of

RELEASES = sorted(path for path in (ROOT / "tests/releases").iterdir() if (path / "crds").is_dir())
PLURALS = ("modeldeployments", "servingruntimes")


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
@pytest.mark.parametrize("plural", PLURALS)
def test_what_a_release_took_is_taken_still(release: Path, plural: str) -> None:
    assert incompatibilities(definition(plural, release / "crds"), definition(plural)) == []


def _changed(path: str, change: Any) -> dict[str, Any]:
    new = copy.deepcopy(definition("modeldeployments"))
    node = schema_of(new)
    for part in path.split("."):
        node = node["items"] if part == "[]" else node["properties"][part]
    change(node)
    return new


@pytest.mark.parametrize(
    ("path", "change", "sentence"),
    [
        ("spec", lambda node: node["properties"].pop("aliases"), "spec.aliases: the field is gone"),
        ("spec.engine.type", lambda node: node["enum"].remove("Triton"), "spec.engine.type: no longer allows Triton"),
        ("spec.engine.version", lambda node: node.update(enum=["1"]), "no longer allows any other value"),
        ("spec.engine", lambda node: node["required"].append("version"), "spec.engine: now requires version"),
        ("spec.replicas", lambda node: node.update(maximum=5), "spec.replicas: maximum was 10000 and is 5"),
        ("spec.replicas", lambda node: node.update(minimum=1), "spec.replicas: minimum was 0 and is 1"),
        ("spec.replicas", lambda node: node.update(type="string"), "spec.replicas: type was integer and is string"),
        ("spec.replicas", lambda node: node.update(default=2), "spec.replicas: the default was 1 and is 2"),
        ("spec.aliases", lambda node: node.update(maxItems=2), "spec.aliases: maxItems was 16 and is 2"),
        ("spec.aliases.[]", lambda node: node.update(pattern="^a$"), "spec.aliases[]: the pattern was"),
        ("spec.engine.version", lambda node: node.update(minLength=3), "minLength was unbounded and is 3"),
    ],
)
def test_each_narrowing_is_found(path: str, change: Any, sentence: str) -> None:
    found = incompatibilities(definition("modeldeployments"), _changed(path, change))
    assert any(sentence in line for line in found), found


def test_a_new_optional_field_is_compatible() -> None:
    new = _changed("spec", lambda node: node["properties"].update(novelty={"type": "string"}))
    assert incompatibilities(definition("modeldeployments"), new) == []


def test_a_lost_scale_subresource_is_found() -> None:
    new = copy.deepcopy(definition("modeldeployments"))
    del new["spec"]["versions"][0]["subresources"]["scale"]
    assert incompatibilities(definition("modeldeployments"), new) == ["the subresource scale was changed or removed"]
