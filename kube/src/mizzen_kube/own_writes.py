"""Is what a watch tells this program's own write? News of an object that is being written waits for the answer.

The watch is often faster than the answer. Without this, every write would be news to its own writer.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mizzen_kube.kept import Change, Key, Manifest, identity


class OwnWrites:
    """Objects that this program writes just now, and what was told of them meanwhile."""

    def __init__(self, announce: Callable[[Change], None]) -> None:
        """`announce` hears what is news."""
        self._announce = announce
        self._held: dict[Key, list[Change]] = {}

    def hear(self, change: Change) -> None:
        """Announce a change; while its object is being written, after that."""
        held = self._held.get(change.key)
        if held is None:
            self._announce(change)
        else:
            held.append(change)

    @contextmanager
    def under_way(self, key: Key) -> Iterator[None]:
        """Hold back what is told of an object meanwhile. What no answer was about is announced at the end."""
        if key in self._held:  # the outer one announces
            yield
            return
        self._held[key] = []
        try:
            yield
        finally:
            for change in self._held.pop(key):
                self._announce(change)

    def answered(self, manifest: Manifest) -> bool:
        """Take the server's answer to a write; whether the object still is, as far as was told."""
        key, uid, version = identity(manifest)
        held = self._held.get(key, [])
        if any(one.type == "DELETED" and one.uid == uid for one in held):
            return False
        self._held.update({key: [one for one in held if not _is(one, version)]} if held else {})
        return True


def _is(change: Change, version: str) -> bool:
    return change.manifest is not None and change.manifest["metadata"]["resourceVersion"] == version
