"""What does a program know of a kind? The objects last heard of, by key and by owner, and what a news changes in them.

Pure: `Reflector` feeds it. An object here is never older than one that was here before.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

Manifest = dict[str, Any]
Key = tuple[str, str]
"""Namespace (empty for a kind without) and name."""
T = TypeVar("T")
ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of an object."""

    type: ChangeType
    key: Key
    uid: str
    owners: tuple[str, ...]
    """Those that it has, and those that it had until now."""
    manifest: Manifest | None
    """As it was last; None for one that vanished while nobody listened."""


@dataclass(slots=True)
class _Entry(Generic[T]):
    uid: str
    version: str
    owners: tuple[str, ...]
    value: T


def controllers(manifest: Manifest) -> Iterable[str]:
    """Return the uid of the object that controls this one, if any."""
    references = manifest["metadata"].get("ownerReferences") or ()
    return (reference["uid"] for reference in references if reference.get("controller"))


class Kept(Generic[T]):
    """Objects of one kind, each in the form that `keep` makes of it."""

    def __init__(self, keep: Callable[[Manifest], T], owners: Callable[[Manifest], Iterable[str]]) -> None:
        """`owners` says under which names `by_owner` finds an object."""
        self._keep = keep
        self._owners = owners
        self._entries: dict[Key, _Entry[T]] = {}
        self._owned: dict[str, dict[Key, None]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> T | None:
        """Return an object; None where there is none."""
        entry = self._entries.get(key)
        return entry.value if entry else None

    def version(self, key: Key) -> str:
        """Return the resource version that is kept of an object; empty where there is none."""
        entry = self._entries.get(key)
        return entry.version if entry else ""

    def keys(self) -> Iterable[Key]:
        """Return all keys; not to be held while objects come and go."""
        return self._entries.keys()

    def items(self) -> Iterator[tuple[Key, T]]:
        """Yield all objects with their keys."""
        return ((key, entry.value) for key, entry in self._entries.items())

    def values(self) -> Iterator[T]:
        """Yield all objects."""
        return (entry.value for entry in self._entries.values())

    def by_owner(self, owner: str) -> list[T]:
        """Return the objects of an owner."""
        return [self._entries[key].value for key in self._owned.get(owner, ())]

    def put(self, manifest: Manifest) -> Change | None:
        """Take an object as it is now; None where that was known, or something newer."""
        key, uid, version = identity(manifest)
        old = self._entries.get(key)
        if old and old.version == version and old.uid == uid:
            return None
        if old and is_older(version, old.version):
            return None
        self._unindex(key, old)
        # Under its own string each uid would be kept once for each child.
        owners = tuple(sys.intern(owner) for owner in self._owners(manifest))
        manifest["metadata"].pop("managedFields", None)
        self._entries[key] = _Entry(uid, version, owners, self._keep(manifest))
        for owner in owners:
            self._owned.setdefault(owner, {})[key] = None
        concerned = owners if old is None or old.owners == owners else tuple(dict.fromkeys((*owners, *old.owners)))
        return Change("MODIFIED" if old and old.uid == uid else "ADDED", key, uid, concerned, manifest)

    def remove(self, manifest: Manifest) -> Change | None:
        """Take that an object was deleted; None where it was not known, or another of that name is."""
        key, uid, version = identity(manifest)
        old = self._entries.get(key)
        if old is None or (old.uid != uid and is_older(version, old.version)):
            return None
        return self._drop(key, old, manifest)

    def prune(self, listed: set[Key], version: str) -> Iterator[Change]:
        """Yield the end of every object that a list as of `version` does not hold."""
        for key in [key for key in self._entries if key not in listed]:
            entry = self._entries[key]
            if not is_older(version, entry.version):
                yield self._drop(key, entry, None)

    def _drop(self, key: Key, entry: _Entry[T], manifest: Manifest | None) -> Change:
        self._unindex(key, entry)
        del self._entries[key]
        return Change("DELETED", key, entry.uid, entry.owners, manifest)

    def _unindex(self, key: Key, entry: _Entry[T] | None) -> None:
        for owner in entry.owners if entry else ():
            owned = self._owned[owner]
            del owned[key]
            if not owned:
                del self._owned[owner]


def identity(manifest: Manifest) -> tuple[Key, str, str]:
    """Return key, uid and resource version. KeyError for what is no object."""
    metadata = manifest["metadata"]
    key = (sys.intern(metadata.get("namespace", "")), metadata["name"])
    return key, metadata["uid"], metadata["resourceVersion"]


def is_older(version: str, than: str) -> bool:
    """Resource versions are numbers that grow (Kubernetes promises it since 1.35); others are never told older."""
    return version.isdecimal() and than.isdecimal() and int(version) < int(than)
