"""Would an object that an older definition took be refused, or lose a field, under a newer one?"""

from collections.abc import Iterator, Mapping
from typing import Any

from crdgen.schema import Schema, whole_default

_LOWER = ("minimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "maxLength", "maxItems", "maxProperties")


def incompatibilities(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Every narrowing between two definitions of one kind, as a sentence with the field's path."""
    found = list(_names(old["spec"], new["spec"]))
    versions = {version["name"]: version for version in new["spec"]["versions"]}
    for version in old["spec"]["versions"]:
        if not versions.get(version["name"], {}).get("served"):
            found.append(f"version {version['name']} is no longer served")
            continue
        before, after = (each["schema"]["openAPIV3Schema"] for each in (version, versions[version["name"]]))
        found += _narrowings(before, after, "")
        found += _lost_subresources(version, versions[version["name"]])
        if version["storage"] and not versions[version["name"]]["storage"]:
            found.append(f"version {version['name']} is no longer the stored one, so objects need a conversion")
    return found


def _names(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key in ("group", "scope"):
        if old[key] != new[key]:
            yield f"the {key} was {old[key]} and is {new[key]}"
    for key in ("kind", "plural", "singular", "listKind"):
        if old["names"][key] != new["names"][key]:
            yield f"the {key} was {old['names'][key]} and is {new['names'][key]}"
    for lost in set(old["names"].get("shortNames", [])) - set(new["names"].get("shortNames", [])):
        yield f"the short name {lost} is gone"
    for lost in set(old["names"].get("categories", [])) - set(new["names"].get("categories", [])):
        yield f"the category {lost} is gone"


def _lost_subresources(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name, wanted in old.get("subresources", {}).items():
        if new.get("subresources", {}).get(name) != wanted:
            yield f"the subresource {name} was changed or removed"


def _narrowings(old: Schema, new: Schema, path: str) -> Iterator[str]:
    where = path.removeprefix(".") or "the object"
    yield from (f"{where}: {sentence}" for sentence in _narrower(old, new))
    for name, part in old.get("properties", {}).items():
        if name in new.get("properties", {}):
            yield from _narrowings(part, new["properties"][name], f"{path}.{name}")
        elif not new.get("x-kubernetes-preserve-unknown-fields"):
            yield f"{path.removeprefix('.')}.{name}: the field is gone".removeprefix(".")
    if old.get("x-kubernetes-preserve-unknown-fields"):
        for name in new.get("properties", {}).keys() - old.get("properties", {}).keys():
            yield f"{path.removeprefix('.')}.{name}: held anything, and has a schema now".removeprefix(".")
    for key, suffix in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(old.get(key), dict) and isinstance(new.get(key), dict):
            yield from _narrowings(old[key], new[key], path + suffix)


def _narrower(old: Schema, new: Schema) -> Iterator[str]:
    yield from _narrower_values(old, new)
    yield from _narrower_maps(old, new)
    for key in _LOWER:
        if new.get(key, float("-inf")) > old.get(key, float("-inf")):
            yield f"{key} was {old.get(key, 'unbounded')} and is {new[key]}"
    for key in _UPPER:
        if new.get(key, float("inf")) < old.get(key, float("inf")):
            yield f"{key} was {old.get(key, 'unbounded')} and is {new[key]}"
    known = {rule["rule"] for rule in old.get("x-kubernetes-validations", ())}
    for rule in new.get("x-kubernetes-validations", ()):
        if rule["rule"] not in known:
            yield f"a rule was added or changed: {rule['message']}"


def _narrower_maps(old: Schema, new: Schema) -> Iterator[str]:
    if added := sorted(set(new.get("required", [])) - set(old.get("required", []))):
        yield f"now requires {', '.join(added)}"
    for key in ("additionalProperties", "x-kubernetes-preserve-unknown-fields"):
        if old.get(key) and not new.get(key):
            yield "no longer holds fields of any name"


def _narrower_values(old: Schema, new: Schema) -> Iterator[str]:
    for key in ("type", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-int-or-string"):
        if old.get(key) != new.get(key):
            yield f"{key} was {old.get(key)} and is {new.get(key)}"
    if "enum" in new and (lost := sorted(set(old.get("enum", ["any other value"])) - set(new["enum"]))):
        yield f"no longer allows {', '.join(lost)}"
    if old.get("nullable") and not new.get("nullable"):
        yield "no longer takes null"
    if new.get("format", old.get("format")) != old.get("format"):
        yield f"the format was {old.get('format', 'none')} and is {new['format']}"
    if new.get("pattern", old.get("pattern")) != old.get("pattern"):
        yield f"the pattern was {old.get('pattern', 'none')} and is {new['pattern']}"
    if whole_default(old) != whole_default(new):
        yield f"the default was {whole_default(old)} and is {whole_default(new)}"
