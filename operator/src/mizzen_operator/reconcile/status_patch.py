"""What has to be written of a status? Only what changed: a merge patch, so that a newer release's fields stay. Pure."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel


def status_patch(before: BaseModel, after: BaseModel) -> dict[str, Any]:
    """Return the merge patch from one status to the other; empty where they say the same."""
    return merge_patch(_body(before), _body(after))


def status_patch_with_zeros(before: BaseModel, after: BaseModel) -> dict[str, Any]:
    """The same, with fields that were never written: `kubectl get` shows a 0 for what is absent as a blank."""
    written = {before.__class__.model_fields[name].alias or name for name in before.model_fields_set}
    return merge_patch({name: value for name, value in _body(before).items() if name in written}, _body(after))


def _body(status: BaseModel) -> dict[str, Any]:
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON merge patch from `before` to `after`; null takes a field away."""
    patch: dict[str, Any] = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            if inner := merge_patch(old, value):
                patch[name] = inner
        elif value != old or name not in before:
            patch[name] = value
    return patch
