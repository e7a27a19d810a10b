"""Who wrote what people want of an object? From the API server's managedFields, in the few words that Mizzen shows."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from mizzen_controlplane.cluster.objects import Document

SHOWN: Final = ("manager", "operation", "apiVersion", "time")
WRITTEN: Final = ("f:spec", "f:metadata")


def told_by_owner(manifest: Document) -> Document:
    """The object with only those managedFields that own spec, labels or annotations, newest first, without the fields.

    What owns the status or the scale says nothing of what people want; the fields are kilobytes that nobody reads.
    """
    metadata = manifest["metadata"]
    owners = [_shown(entry) for entry in metadata.get("managedFields") or () if _wants(entry)]
    newest_first = sorted(owners, key=lambda entry: str(entry.get("time", "")), reverse=True)
    return manifest | {"metadata": metadata | {"managedFields": newest_first}}


def _wants(entry: Mapping[str, Any]) -> bool:
    fields = entry.get("fieldsV1") or {}
    return not entry.get("subresource") and any(part in fields for part in WRITTEN)


def _shown(entry: Mapping[str, Any]) -> Document:
    return _picked(entry, SHOWN)


def _picked(entry: Mapping[str, Any], names: Iterable[str]) -> Document:
    return {name: entry[name] for name in names if name in entry}
