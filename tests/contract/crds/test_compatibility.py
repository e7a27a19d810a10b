"""No definition may refuse, or drop a field of, an object that the definition of an earlier release took."""

import copy
from pathlib import Path
from typing import Any

import pytest
from crdgen.compatibility import incompatibilities
from support.definitions import ROOT, definition, schema_of

RELEASES = sorted(path for path in (ROOT / "tests/releases").iterdir() if (path / "crds").is_dir())
MARKS = (
    "spec.podOverrides: a rule was added or changed: keys that Mizzen, Kubernetes, the network or the container runtime"
)
ON_CPUS = "spec.resources: a rule was added or changed: must be at least 1 with acceleratorClass"
HEDGE = "spec.rules[]: a rule was added or changed: asks a second endpoint"
NARROWED_MEANT = {"modeldeployments": (MARKS, MARKS, ON_CPUS), "modelroutes": (HEDGE,)}
"""By plural: beginnings of what is taken no longer: labels and annotations by which a pod got round its policies, and
a class of accelerators of which no pod gets one; and a rule about `hedge`, which no older object has. Objects that are
stored may still be changed elsewhere; the changelog says it."""
DEFINITIONS = [(release, file) for release in RELEASES for file in sorted((release / "crds").glob("*.yaml"))]


def test_releases_are_kept_to_compare_with() -> None:
    assert DEFINITIONS


@pytest.mark.parametrize(("release", "file"), DEFINITIONS, ids=lambda path: path.name)
def test_what_a_release_took_is_taken_still(release: Path, file: Path) -> None:
    plural = file.name.split(".")[0]
    assert (ROOT / "crds" / file.name).is_file(), "a kind was removed"
    found = incompatibilities(definition(plural, release / "crds"), definition(plural))
    meant = NARROWED_MEANT.get(plural, ())
    assert [one for one in found if not one.startswith(meant or "\0")] == []
    assert len(found) == len(meant), found


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


@pytest.mark.parametrize(
    ("path", "change", "sentence"),
    [
        (
            "spec.engine",
            lambda node: node.update({"x-kubernetes-validations": [{"rule": "false", "message": "never"}]}),
            "spec.engine: a rule was added or changed: never",
        ),
        (
            "spec.placement.affinity",
            lambda node: node.pop("x-kubernetes-preserve-unknown-fields"),
            "spec.placement.affinity: no longer holds fields of any name",
        ),
        (
            "spec.placement.affinity",
            lambda node: node.update(properties={"nodeAffinity": {"type": "object"}}),
            "spec.placement.affinity.nodeAffinity: held anything, and has a schema now",
        ),
        (
            "spec.placement.nodeSelector",
            lambda node: node.pop("additionalProperties"),
            "spec.placement.nodeSelector: no longer holds fields of any name",
        ),
        (
            "spec.placement.nodeSelector",
            lambda node: node["additionalProperties"].update(maxLength=1),
            "spec.placement.nodeSelector{}: maxLength was unbounded and is 1",
        ),
        (
            "spec.engine.env",
            lambda node: node.update({"x-kubernetes-list-map-keys": ["name", "value"]}),
            "spec.engine.env: x-kubernetes-list-map-keys was ['name'] and is ['name', 'value']",
        ),
        (
            "spec.aliases",
            lambda node: node.update({"x-kubernetes-list-type": "atomic"}),
            "spec.aliases: x-kubernetes-list-type was set and is atomic",
        ),
        (
            "spec.rollout.maxSurge",
            lambda node: node.pop("x-kubernetes-int-or-string"),
            "spec.rollout.maxSurge: x-kubernetes-int-or-string was True and is None",
        ),
        (
            "spec.engine.version",
            lambda node: node.update(format="date-time"),
            "spec.engine.version: the format was none and is date-time",
        ),
    ],
)
def test_each_stricter_meaning_is_found(path: str, change: Any, sentence: str) -> None:
    assert sentence in incompatibilities(definition("modeldeployments"), _changed(path, change))


def test_a_value_that_may_no_longer_be_null_is_found() -> None:
    old = _changed("spec.engine.version", lambda node: node.update(nullable=True))
    assert incompatibilities(old, definition("modeldeployments")) == ["spec.engine.version: no longer takes null"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda spec: spec.update(scope="Cluster"), "the scope was Namespaced and is Cluster"),
        (lambda spec: spec.update(group="example.org"), "the group was mizzen.dev and is example.org"),
        (lambda spec: spec["names"].update(kind="Model"), "the kind was ModelDeployment and is Model"),
        (lambda spec: spec["names"].update(plural="models"), "the plural was modeldeployments and is models"),
        (lambda spec: spec["names"].update(singular="model"), "the singular was modeldeployment and is model"),
        (lambda spec: spec["names"].update(listKind="Models"), "the listKind was ModelDeploymentList and is Models"),
        (lambda spec: spec["names"].update(shortNames=["md"]), "the short name mzd is gone"),
        (lambda spec: spec["names"].update(categories=[]), "the category mizzen is gone"),
        (lambda spec: spec["versions"].clear(), "version v1alpha1 is no longer served"),
        (lambda spec: spec["versions"][0].update(served=False), "version v1alpha1 is no longer served"),
        (
            lambda spec: spec["versions"][0].update(storage=False),
            "version v1alpha1 is no longer the stored one, so objects need a conversion",
        ),
    ],
)
def test_each_change_of_the_kind_itself_is_found(change: Any, sentence: str) -> None:
    new = copy.deepcopy(definition("modeldeployments"))
    change(new["spec"])
    assert incompatibilities(definition("modeldeployments"), new) == [sentence]


def test_a_lost_scale_subresource_is_found() -> None:
    new = copy.deepcopy(definition("modeldeployments"))
    del new["spec"]["versions"][0]["subresources"]["scale"]
    assert incompatibilities(definition("modeldeployments"), new) == ["the subresource scale was changed or removed"]
