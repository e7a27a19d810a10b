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


def difference(wanted: Any, live: Any, path: str = "", parent: str = "") -> str:
    """Return the path of the first wanted field that the live object does not hold; empty when it holds them all."""
    if _empty(wanted) and _empty(live):
        return ""
    if isinstance(wanted, Mapping):
        return _map_difference(wanted, live, path)
    if isinstance(wanted, list | tuple):
        return _list_difference(wanted, live, path, parent)
    name = path.rpartition(".")[2]
    if parent in QUANTITY_MAPS or name in QUANTITY_FIELDS:
        return "" if quantity(wanted) == quantity(live) else path
    return "" if wanted == live and isinstance(wanted, bool) == isinstance(live, bool) else path


def quantity(value: Any) -> Any:
    """Return a quantity as a number, so that 1 and 1000m are one; the value itself where it is none."""
    text = str(value)
    digits = text.rstrip("kMGTPEim")
    try:
        return Decimal(digits) * SUFFIXES[text[len(digits) :]]
    except (InvalidOperation, KeyError):
        return value


def _empty(value: Any) -> bool:
    """The API server leaves empty values out."""
    return (
        value is None or value is False or value in ("", 0) or (not value and isinstance(value, Mapping | list | tuple))
    )


def _map_difference(wanted: Mapping[str, Any], live: Any, path: str) -> str:
    if not isinstance(live, Mapping):
        nothing_asked = live is None and bool(wanted) and all(_empty(value) for value in wanted.values())
        return "" if nothing_asked else path
    name = path.rpartition(".")[2].partition("[")[0]
    if name in ATOMIC_MAPS and set(live) - set(wanted):
        return path
    for key, value in wanted.items():
        inner = f"{path}.{key}" if path else key
        if found := difference(value, live.get(key), inner, name):
            return found
    return ""


def _list_difference(wanted: Sequence[Any], live: Any, path: str, parent: str) -> str:
    if not isinstance(live, list | tuple):
        return path
    name = path.rpartition(".")[2].partition("[")[0]
    keys = _keys_of(name, wanted)
    if keys and wanted:
        return _merged_difference(wanted, live, path, keys)
    if len(wanted) != len(live):
        return path
    for number, (one, other) in enumerate(zip(wanted, live, strict=True)):
        if found := difference(one, other, f"{path}[{number}]", parent):
            return found
    return ""


def _keys_of(name: str, wanted: Sequence[Any]) -> tuple[str, ...]:
    if name == "ports" and wanted and isinstance(wanted[0], Mapping):
        if "containerPort" in wanted[0]:
            return CONTAINER_PORTS
        return SERVICE_PORTS if "targetPort" in wanted[0] else ()
    return MERGE_KEYS.get(name, ())


def _merged_difference(wanted: Sequence[Any], live: Sequence[Any], path: str, keys: tuple[str, ...]) -> str:
    there = {_identity(one, keys): one for one in live if isinstance(one, Mapping)}
    for one in wanted:
        identity = _identity(one, keys)
        inner = f"{path}[{'/'.join(map(str, identity))}]"
        if identity not in there:
            return inner
        if found := difference(one, there[identity], inner):
            return found
    return ""


def _identity(entry: Mapping[str, Any], keys: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(entry.get(key, DEFAULT_PROTOCOL if key == "protocol" else None) for key in keys)
