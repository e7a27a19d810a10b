"""What would `mizzen apply` change? The stored manifest against what the server says it would be, line by line."""

import difflib
from collections.abc import Iterator
from typing import Any, Final

import yaml

Manifest = dict[str, Any]
BOOKKEEPING: Final = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp")
"""What the server writes of every object, and nobody applies."""


def difference(name: str, stored: Manifest | None, wanted: Manifest) -> Iterator[str]:
    """Yield the lines of a unified diff; none where applying `wanted` changes nothing. None: it is not there yet."""
    before = _lines(stored) if stored else []
    origin = f"stored/{name}" if stored else "/dev/null"
    yield from difflib.unified_diff(before, _lines(wanted), origin, f"applied/{name}", lineterm="")


def _lines(manifest: Manifest) -> list[str]:
    metadata = {key: value for key, value in manifest["metadata"].items() if key not in BOOKKEEPING and value}
    shown = {"kind": manifest["kind"], "metadata": metadata, "spec": manifest["spec"]}
    return yaml.safe_dump(shown, allow_unicode=True, width=120).splitlines()
