"""Does the live object hold the fields that we want? Compared field by field, as server-side apply would merge them.

What others added (defaults, labels, a container of another owner) is theirs. An annotation that says "equal" is no
proof; nothing here reads one.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

MERGE_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "volumeMounts": ("mountPath",),
    "imagePullSecrets": ("name",),
    "ownerReferences": ("uid",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "hostAliases": ("ip",),
}
"""Lists that server-side apply merges by a key; all others belong to one writer and are compared whole."""
CONTAINER_PORTS: Final = ("containerPort", "protocol")
SERVICE_PORTS: Final = ("port", "protocol")
ATOMIC_MAPS: Final = frozenset({"nodeSelector", "matchLabels", "selector", "namespaceSelector", "podSelector"})
QUANTITY_MAPS: Final = frozenset({"requests", "limits", "hard"})
QUANTITY_FIELDS: Final = frozenset({"sizeLimit", "storage"})
DEFAULT_PROTOCOL: Final = "TCP"
SUFFIXES: Final[Mapping[str, Decimal]] = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}


def difference(wanted: Any, live: Any, path: str = "") -> str:
    """Return the path of the first wanted field that the live object does not hold; empty when it holds them all.

    `path` is where the two stand; its last name says how they are compared.
    """
    found = _differs(wanted, live, path.rpartition(".")[2], "")
    return "" if found is None else f"{path}{found}".removeprefix(".")


def quantity(value: Any) -> Any:
    """Return a quantity as a number, so that 1 and 1000m are one; the value itself where it is none."""
    text = str(value)
    digits = text.rstrip("kMGTPEim")
    try:
        return Decimal(digits) * SUFFIXES[text[len(digits) :]]
    except (InvalidOperation, KeyError):
        return value


def _differs(wanted: Any, live: Any, name: str, parent: str) -> str | None:
    """Where below a field of this name and parent; None: nowhere. Paths are put together only where one is told."""
    if type(wanted) is str and wanted == live:  # as most fields are
        return None
    if not wanted and not live:  # the API server leaves empty values out
        return None
    if isinstance(wanted, dict):
        return _in_map(wanted, live, name)
    if isinstance(wanted, list | tuple):
        return _in_list(wanted, live, name, parent)
    if parent in QUANTITY_MAPS or name in QUANTITY_FIELDS:
        return None if quantity(wanted) == quantity(live) else ""
    return None if wanted == live and isinstance(wanted, bool) == isinstance(live, bool) else ""


def _in_map(wanted: Mapping[str, Any], live: Any, name: str) -> str | None:
    if not isinstance(live, dict):
        nothing_asked = live is None and not any(wanted.values())
        return None if nothing_asked else ""
    if name in ATOMIC_MAPS and live.keys() - wanted.keys():
        return ""
    for key, value in wanted.items():
        found = _differs(value, live.get(key), key, name)
        if found is not None:
            return f".{key}{found}"
    return None


def _in_list(wanted: Sequence[Any], live: Any, name: str, parent: str) -> str | None:
    if not isinstance(live, list | tuple):
        return ""
    keys = _keys_of(name, wanted)
    if keys and wanted:
        return _in_merged(wanted, live, name, keys)
    if len(wanted) != len(live):
        return ""
    for number, (one, other) in enumerate(zip(wanted, live, strict=True)):
        found = _differs(one, other, name, parent)
        if found is not None:
            return f"[{number}]{found}"
    return None


def _keys_of(name: str, wanted: Sequence[Any]) -> tuple[str, ...]:
    if name == "ports" and wanted and isinstance(wanted[0], Mapping):
        if "containerPort" in wanted[0]:
            return CONTAINER_PORTS
        return SERVICE_PORTS if "targetPort" in wanted[0] else ()
    return MERGE_KEYS.get(name, ())


def _in_merged(wanted: Sequence[Any], live: Sequence[Any], name: str, keys: tuple[str, ...]) -> str | None:
    there = {_identity(one, keys): one for one in live if isinstance(one, Mapping)}
    for one in wanted:
        identity = _identity(one, keys)
        found = _differs(one, there[identity], name, "") if identity in there else ""
        if found is not None:
            return f"[{'/'.join(map(str, identity))}]{found}"
    return None


def _identity(entry: Mapping[str, Any], keys: tuple[str, ...]) -> tuple[Any, ...]:
    if len(keys) == 1:
        return (entry.get(keys[0]),)
    return tuple(entry.get(key, DEFAULT_PROTOCOL if key == "protocol" else None) for key in keys)
