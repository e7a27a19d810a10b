"""What has to be written? A plan of writes as data, each with its reason; none where live fields are as wanted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.project import Project

from mizzen_operator.reconcile.children import RENDERED, WORKLOADS
from mizzen_operator.reconcile.compare import difference

Manifest = dict[str, Any]
ChildId = tuple[str, str]
"""Kind and name."""
Owner = ModelDeployment | Project
Verb = Literal["create", "update", "delete"]
COMPARED: Final = ("labels", "annotations", "ownerReferences")
BODIES: Final = ("spec", "data", "roleRef", "subjects")
IMMUTABLE: Final = frozenset({"ControllerRevision"})


@dataclass(frozen=True)
class Write:
    """One write to one child."""

    verb: Verb
    manifest: Manifest
    """What is wanted; for a delete, what is there."""
    reason: str
    """For the log and for people."""
    live: Manifest | None = None
    """What is there."""
    repair: bool = False
    """Somebody else changed or deleted what Mizzen had written."""

    @property
    def child(self) -> ChildId:
        """Kind and name."""
        return child_id(self.manifest)

    def __str__(self) -> str:
        return f"{self.verb} {self.manifest['kind']} {self.manifest['metadata']['name']}: {self.reason}"


@dataclass(frozen=True)
class WritePlan:
    """Everything that one pass writes to children."""

    writes: tuple[Write, ...] = ()
    foreign: tuple[Manifest, ...] = ()
    """Objects of a wanted name that belong to someone else: they are left alone."""
    leftover: tuple[Manifest, ...] = field(default=())
    """Children of a former object of the same name, which the garbage collector is about to remove."""


def plan_writes(
    owner: Owner,
    wanted: Sequence[Manifest],
    live: Iterable[Manifest],
    *,
    expired: Iterable[str] = (),
    obsolete: bool = True,
) -> WritePlan:
    """Return what to write, in the order of `wanted`, deletes last.

    `live` holds whatever carries Mizzen's label and this owner's name, in one namespace. `expired` are names of
    revisions beyond the history. `obsolete` says that `wanted` is whole, so that a child of ours that it does not hold
    may go.
    """
    there = {child_id(one): one for one in live}
    names = {child_id(one) for one in wanted}
    writes: list[Write] = []
    foreign: list[Manifest] = []
    leftover: list[Manifest] = []
    for one in wanted:
        other = there.get(child_id(one))
        if other is not None and not owned(other, owner):
            (leftover if of_former_object(other, owner) else foreign).append(other)
        elif (write := write_of(one, other)) is not None:
            writes.append(write)
    gone = set(expired)
    # A workload goes before its ControllerRevision: without that, nobody would know what it was made from.
    for key, one in sorted(there.items(), key=lambda item: item[0][0] in IMMUTABLE):
        if key in names or not owned(one, owner) or _going(one):
            continue
        if key[1] in gone and key[0] in WORKLOADS | IMMUTABLE:
            writes.append(Write("delete", one, "beyond spec.rollout.revisionHistoryLimit", one))
        elif obsolete and key[0] not in WORKLOADS | IMMUTABLE:
            writes.append(Write("delete", one, "no longer wanted", one))
    return WritePlan(tuple(writes), tuple(foreign), tuple(leftover))


def write_of(wanted: Manifest, live: Manifest | None) -> Write | None:
    """Return the write that makes a child of ours as wanted; None where it is, or is on its way out."""
    if live is None:
        return Write("create", wanted, "missing")
    if _going(live):
        return None  # the name is taken until it has gone; its end wakes the next pass
    if wanted["kind"] in IMMUTABLE:
        changed = difference(wanted["metadata"].get("labels"), live["metadata"].get("labels"), "labels")
        return Write("update", wanted, f"{changed} differs", live, repair=True) if changed else None
    changed = changed_field(wanted, live)
    if changed:
        same_wish = rendered(live) == rendered(wanted)
        scaled = changed == "spec.replicas"
        reason = _scaling(wanted, live) if scaled else f"{changed} differs"
        return Write("update", wanted, reason, live, repair=same_wish and not scaled)
    if rendered(live) != rendered(wanted):
        return Write("update", wanted, "a field is wanted no longer", live)
    return None


def changed_field(wanted: Manifest, live: Manifest) -> str:
    """Return the path of the first wanted field that is not there, the hash of what was wanted aside."""
    metadata = wanted["metadata"]
    for name in COMPARED:
        part = metadata.get(name)
        if name == "annotations" and part:
            part = {key: value for key, value in part.items() if key != RENDERED}
        if part and (found := difference(part, live["metadata"].get(name), f"metadata.{name}")):
            return found
    for name in BODIES:
        if name in wanted and (found := difference(wanted[name], live.get(name), name)):
            return found
    return ""


def rendered(manifest: Mapping[str, Any]) -> str:
    """Return the hash that was written with a child."""
    return str((manifest["metadata"].get("annotations") or {}).get(RENDERED, ""))


def child_id(manifest: Mapping[str, Any]) -> ChildId:
    """Return kind and name."""
    return manifest["kind"], manifest["metadata"]["name"]


def owned(child: Mapping[str, Any], owner: Owner) -> bool:
    """Whether the child belongs to this very object."""
    return any(one.get("uid") == owner.metadata.uid for one in _owners(child))


def of_former_object(child: Mapping[str, Any], owner: Owner) -> bool:
    """Whether the child belongs to an earlier object of this kind and name."""
    return any(
        one.get("kind") == owner.kind
        and one.get("name") == owner.metadata.name
        and one.get("uid") != owner.metadata.uid
        for one in _owners(child)
    )


def owner_words(child: Mapping[str, Any]) -> str:
    """Return whose a child is, for people."""
    named = [f"{one.get('kind')} {one.get('name')}" for one in _owners(child)]
    return ", ".join(named) or "nobody that it names"


def _owners(child: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return child["metadata"].get("ownerReferences") or ()


def _going(child: Mapping[str, Any]) -> bool:
    return bool(child["metadata"].get("deletionTimestamp"))


def _scaling(wanted: Manifest, live: Manifest) -> str:
    before, after = live.get("spec", {}).get("replicas", 0), wanted["spec"]["replicas"]
    return f"from {before} to {after} replicas"
