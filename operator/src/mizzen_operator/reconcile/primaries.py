"""Which ModelDeployments are there? The objects that people write, as kopf's watch told of them, small."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_kube.kept import Change, Kept, Key
from mizzen_kube.own_writes import OwnWrites
from mizzen_kube.packed import Packed, Packing

from mizzen_operator.reading import UnreadableError, read_object

Manifest = dict[str, Any]


def unheard(key: Key, manifest: Manifest | None) -> None:
    """For nobody."""


def no_news(change: Change) -> None:
    """For nobody."""


class Primaries:
    """Every ModelDeployment, by key, by uid and by served name. Never older than what was here before."""

    def __init__(self, project_of: Callable[[str], str] = str) -> None:
        """`project_of` says whose a namespace is; by default each is a project of its own."""
        self._project_of = project_of
        self._kept: Kept[Packed] = Kept(Packing(), served_by)
        self._keys: dict[str, Key] = {}
        self._uids: dict[Key, str] = {}
        self.heard: Callable[[Key, Manifest | None], None] = unheard
        """Told of each change, the operator's own writes too; None: it is gone."""
        self.news: Callable[[Change], None] = no_news
        """Told of each change that somebody else made."""
        self._own = OwnWrites(lambda change: self.news(change))

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, key: Key) -> Manifest | None:
        """Return an object; None where there is none."""
        packed = self._kept.get(key)
        return packed.manifest if packed else None

    def keys(self) -> Iterable[Key]:
        """Return all keys; not to be held across an await."""
        return self._kept.keys()

    def __contains__(self, key: object) -> bool:
        return key in self._uids

    def sharing(self, manifest: Manifest) -> list[Key]:
        """Return the keys of the project's other deployments that serve one of its names: theirs may be free now."""
        metadata = manifest["metadata"]
        found = {one["metadata"]["uid"] for one in self._of_project(metadata["namespace"], served_by(manifest))}
        return [self._keys[one] for one in found if one != metadata.get("uid") and one in self._keys]

    def version(self, key: Key) -> str:
        """Return the resource version that is known of an object; empty where there is none."""
        return self._kept.version(key)

    def key_of(self, uid: str) -> Key | None:
        """Return whose uid it is."""
        return self._keys.get(uid)

    def hear(self, manifest: Manifest, *, gone: bool) -> None:
        """Take what the watch tells of an object."""
        change = self.remove(manifest) if gone else self.put(manifest)
        if change is not None:
            self._own.hear(change)

    def writing(self, key: Key) -> AbstractContextManager[None]:
        """While the operator writes an object: what the watch tells of it waits, and the own write is no news."""
        return self._own.under_way(key)

    def learn(self, manifest: Manifest) -> None:
        """Take what the server answered to a write."""
        if self._own.answered(manifest):
            self.put(manifest)

    def put(self, manifest: Manifest) -> Change | None:
        """Take an object as it is now; None where that was known."""
        change = self._kept.put(manifest)
        if change is None:
            return None
        if (former := self._uids.get(change.key)) and former != change.uid:
            self._keys.pop(former, None)
        self._keys[change.uid], self._uids[change.key] = change.key, change.uid
        self.heard(change.key, manifest)
        return change

    def remove(self, manifest: Manifest) -> Change | None:
        """Take that an object was deleted; None where that was known."""
        change = self._kept.remove(manifest)
        if change is not None:
            self._forget(change)
        return change

    def prune(self, listed: set[Key], version: str) -> list[Key]:
        """Take that a list as of `version` holds these alone; returns the keys of those that went unnoticed."""
        gone = list(self._kept.prune(listed, version))
        for change in gone:
            self._forget(change)
        return [change.key for change in gone]

    def rivals(self, deployment: ModelDeployment) -> Iterator[ModelDeployment]:
        """Yield the other deployments of the project that serve one of its names."""
        seen = {deployment.metadata.uid}
        for manifest in self._of_project(deployment.metadata.namespace, deployment.served_names):
            if manifest["metadata"]["uid"] in seen:
                continue
            seen.add(manifest["metadata"]["uid"])
            try:
                yield read_object(ModelDeployment, manifest)
            except UnreadableError:
                continue  # its own pass says so

    def _of_project(self, namespace: str, names: Iterable[str]) -> Iterator[Manifest]:
        """Yield what serves one of the names in a namespace of the same project; some may come twice."""
        project = self._project_of(namespace)
        for name in names:
            for packed in self._kept.by_owner(name):
                manifest = packed.manifest
                if self._project_of(manifest["metadata"]["namespace"]) == project:
                    yield manifest

    def serving(self, namespace: str, name: str) -> list[Manifest]:
        """Return the deployments of a namespace that serve a name."""
        found = (packed.manifest for packed in self._kept.by_owner(name))
        return [one for one in found if one["metadata"]["namespace"] == namespace]

    def _forget(self, change: Change) -> None:
        self._keys.pop(change.uid, None)
        self._uids.pop(change.key, None)
        self.heard(change.key, None)


def served_by(manifest: Manifest) -> Iterable[str]:
    """Return every served name: what `rivals` looks for."""
    spec = manifest.get("spec") or {}
    adapters = (one.get("name", "") for one in spec.get("adapters") or ())
    return (spec.get("servedModelName") or manifest["metadata"]["name"], *(spec.get("aliases") or ()), *adapters)
