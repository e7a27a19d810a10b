"""What does a merge patch make of a document? RFC 7396."""

from typing import Any


def merge_patch(target: Any, patch: Any) -> Any:
    """The target with the patch applied: null removes, an object merges, anything else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result
