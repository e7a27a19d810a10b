"""How is a plan of writes carried out? Creates are POST, updates server-side apply with uid and resource version.

What the server refuses for good becomes a refusal for the status; what passes (a conflict, a server away) is raised,
and the pass comes again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from mizzen_crds.v1alpha1 import conditions, labels
from mizzen_kube.api import Api
from mizzen_kube.errors import AlreadyExistsError, ConflictError, ForbiddenError, InvalidError, NotFoundError
from mizzen_kube.resources import PODS, resource_of

from mizzen_operator.observation import Refusal
from mizzen_operator.reconcile.caches import Caches
from mizzen_operator.reconcile.children import WORKLOADS
from mizzen_operator.reconcile.pod_actions import PodAction
from mizzen_operator.reconcile.writes import (
    IMMUTABLE,
    Manifest,
    Owner,
    Write,
    WritePlan,
    of_former_object,
    owned,
    owner_words,
    rendered,
    write_of,
)

MANAGER: Final = labels.FIELD_OWNER_OPERATOR
log = structlog.get_logger()


class NamespaceEndingError(Exception):
    """The namespace is being deleted: nothing can be made in it, and nothing needs to be."""


@dataclass
class Outcome:
    """What came of the writes."""

    done: list[Write] = field(default_factory=list)
    pods: list[PodAction] = field(default_factory=list)
    """Actions on pods that were carried out."""
    refusals: list[Refusal] = field(default_factory=list)
    """What the server refused, or someone else's object stands in the way of."""
    leftover: str = ""
    """A child of a former object of this name that has not gone yet."""
    refused: set[tuple[str, str]] = field(default_factory=set)
    """Kind and name of children that could not be written."""


class Applier:
    """Writes to one API server."""

    def __init__(self, api: Api, caches: Caches) -> None:
        self._api = api
        self._caches = caches

    async def carry_out(self, owner: Owner, plan: WritePlan, pods: Sequence[PodAction], outcome: Outcome) -> None:
        """Carry out the actions on pods, then the writes in their order. Raises ApiError for what will pass.

        Pods come first: the mark of those that go must be there when their workload shrinks.
        """
        for action in pods:
            await self._act(action, outcome)
        for one in plan.foreign:
            self._foreign(one, outcome)
        for write in plan.writes:
            if write.manifest["kind"] in WORKLOADS and _must_wait(write, outcome):
                continue
            await self._carry_out(owner, write, outcome)

    async def _carry_out(self, owner: Owner, write: Write, outcome: Outcome) -> None:
        try:
            if write.verb == "delete":
                await self._delete(write)
            else:
                with self._caches.writing(write.manifest):
                    await self._make(owner, write, outcome)
        except InvalidError as error:
            self._refused(write, conditions.POD_REFUSED, error.message, outcome)
        except ForbiddenError as error:
            if "being terminated" in error.message:
                raise NamespaceEndingError(write.manifest["metadata"].get("namespace", "")) from error
            quota = "exceeded quota" in error.message
            reason = conditions.RESOURCE_QUOTA_EXCEEDED if quota else conditions.APPLY_FAILED
            self._refused(write, reason, error.message, outcome)
        except NotFoundError as error:
            self._not_found(write, error, outcome)
        else:
            if write.child not in outcome.refused:
                outcome.done.append(write)
                log.info("child written", write=str(write))

    async def _make(self, owner: Owner, write: Write, outcome: Outcome) -> None:
        if write.verb == "create":
            await self._create(owner, write, outcome)
        else:
            await self.update(write)

    async def _create(self, owner: Owner, write: Write, outcome: Outcome) -> None:
        try:
            self._caches.learn(await self._api.create(write.manifest, field_manager=MANAGER))
        except AlreadyExistsError:
            await self._meet(owner, write, outcome)

    async def _meet(self, owner: Owner, write: Write, outcome: Outcome) -> None:
        """Something of that name is there, which the watch has not told of, or which has lost Mizzen's label."""
        metadata = write.manifest["metadata"]
        live = await self._api.get(resource_of(write.manifest), metadata["name"], metadata.get("namespace", ""))
        if owned(live, owner):
            if (update := write_of(write.manifest, live)) is not None:
                await self.update(update)
            else:
                self._caches.learn(live)
        elif of_former_object(live, owner):
            outcome.leftover = f"{live['kind']} {metadata['name']}"
            outcome.refused.add(write.child)
        else:
            self._foreign(live, outcome)

    async def update(self, write: Write) -> None:
        """Make what is there as it is wanted, and take away of ours what is wanted no longer."""
        assert write.live is not None, "an update is planned from what is there"
        if write.manifest["kind"] in IMMUTABLE:
            self._caches.learn(await self._relabel(write.manifest, write.live))
            return
        version = write.live["metadata"]["resourceVersion"]
        if rendered(write.live) != rendered(write.manifest):
            version = await self._take_over(write.live)
        metadata = {
            name: write.manifest["metadata"][name]
            for name in ("name", "namespace", "labels", "annotations", "ownerReferences")
            if name in write.manifest["metadata"]
        }
        metadata |= {"uid": write.live["metadata"]["uid"], "resourceVersion": version}
        body = {**write.manifest, "metadata": metadata}
        self._caches.learn(await self._api.apply(body, field_manager=MANAGER, force=True))

    async def _relabel(self, wanted: Manifest, live: Manifest) -> Manifest:
        """Set the labels of an object whose body may not even be written in another order of its keys."""
        metadata = live["metadata"]
        labelled = (metadata.get("labels") or {}) | wanted["metadata"]["labels"]
        operations = [
            {"op": "test", "path": "/metadata/uid", "value": metadata["uid"]},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]},
            {"op": "add", "path": "/metadata/labels", "value": labelled},
        ]
        resource = resource_of(live)
        return await self._api.json_patch(
            resource, metadata["name"], metadata.get("namespace", ""), operations, field_manager=MANAGER
        )

    async def _take_over(self, seen: Manifest) -> str:
        """Make the fields of our create ours by apply too, so that one that is wanted no longer is taken away.

        Returns the resource version from which to apply.
        """
        resource, metadata = resource_of(seen), seen["metadata"]
        live = await self._api.get(resource, metadata["name"], metadata.get("namespace", ""))
        if live["metadata"]["uid"] != metadata["uid"]:
            raise ConflictError(f"{metadata['name']} is another object now", status=409, reason="Conflict")
        entries = live["metadata"].get("managedFields") or []
        taken = as_applied(entries)
        if taken == entries:
            return str(live["metadata"]["resourceVersion"])
        operations = [
            {"op": "test", "path": "/metadata/uid", "value": metadata["uid"]},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]},
            {"op": "replace", "path": "/metadata/managedFields", "value": taken},
        ]
        patched = await self._api.json_patch(
            resource, metadata["name"], metadata.get("namespace", ""), operations, field_manager=MANAGER
        )
        return str(patched["metadata"]["resourceVersion"])

    async def _delete(self, write: Write) -> None:
        metadata = write.manifest["metadata"]
        resource = resource_of(write.manifest)
        try:
            await self._api.delete(resource, metadata["name"], metadata.get("namespace", ""), uid=metadata["uid"])
        except NotFoundError:
            return

    async def _act(self, action: PodAction, outcome: Outcome) -> None:
        pod = action.pod
        try:
            if action.verb == "delete":
                await self._api.delete(PODS, pod.name, pod.namespace, uid=pod.uid)
            else:
                test = {"op": "test", "path": "/metadata/uid", "value": pod.uid}
                await self._api.json_patch(
                    PODS, pod.name, pod.namespace, [test, *action.operations], field_manager=MANAGER
                )
        except (NotFoundError, ConflictError, InvalidError) as error:
            log.info("pod has changed meanwhile", pod=pod.name, reason=action.reason, error=error.message)
        else:
            outcome.pods.append(action)
            log.info("pod written", pod=pod.name, verb=action.verb, reason=action.reason)

    def _not_found(self, write: Write, error: NotFoundError, outcome: Outcome) -> None:
        if write.manifest["kind"] == "LeaderWorkerSet" and write.verb == "create":
            text = "spec.multiNode: the cluster does not know LeaderWorkerSets."
            self._refused(write, conditions.LEADER_WORKER_SET_NOT_INSTALLED, text, outcome)
        elif write.verb == "create":
            raise NamespaceEndingError(write.manifest["metadata"]["namespace"]) from error
        else:
            raise ConflictError(error.message, status=409, reason="Conflict") from error

    def _refused(self, write: Write, reason: str, message: str, outcome: Outcome) -> None:
        outcome.refused.add(write.child)
        outcome.refusals.append(Refusal(reason, f"{write.child[0]} {write.child[1]}: {message}"))
        log.warning("child refused", write=str(write), error=message)

    def _foreign(self, live: Mapping[str, Any], outcome: Outcome) -> None:
        kind, name = live["kind"], live["metadata"]["name"]
        outcome.refused.add((kind, name))
        text = f"{kind} {name} exists and belongs to {owner_words(live)}; it was left alone."
        outcome.refusals.append(Refusal(conditions.CHILD_OWNED_BY_SOMEONE_ELSE, text))
        log.warning("child of someone else", kind=kind, child=name, owner=owner_words(live))


def _must_wait(write: Write, outcome: Outcome) -> bool:
    """Never a pod whose template is kept nowhere, and no first pod that no policy isolates."""
    unkept = ("ControllerRevision", write.child[1]) in outcome.refused
    return unkept or (write.verb == "create" and any(kind == "NetworkPolicy" for kind, _ in outcome.refused))


def as_applied(entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return managedFields in which what our create set counts as applied by us, as client-go's csaupgrade does it."""
    ours = [one for one in entries if one.get("manager") == MANAGER and not one.get("subresource")]
    created = [one for one in ours if one.get("operation") == "Update"]
    if not created:
        return list(entries)
    applied = next((one for one in ours if one.get("operation") == "Apply"), None)
    fields: dict[str, Any] = {}
    for one in (*created, *([applied] if applied else [])):
        fields = _union(fields, one.get("fieldsV1") or {})
    merged = {**(applied or created[0]), "operation": "Apply", "fieldsV1": fields}
    rest = [one for one in entries if one not in created and one is not applied]
    return [*rest, merged]


def _union(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(one)
    for name, part in other.items():
        both[name] = _union(both.get(name) or {}, part or {})
    return both
