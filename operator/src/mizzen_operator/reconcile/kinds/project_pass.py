"""One pass over one Project: its namespaces, what it has in each, what is left behind elsewhere, and its status."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import structlog
from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.project import Project, ProjectStatus
from mizzen_crds.v1alpha1.project.status import NamespaceState
from mizzen_kube.api import Api
from mizzen_kube.errors import AlreadyExistsError, ConflictError, ForbiddenError, InvalidError, NotFoundError

from mizzen_operator.conditions.verdict import Said
from mizzen_operator.kinds.project.claims import states
from mizzen_operator.kinds.project.desired import desired
from mizzen_operator.kinds.project.environment import ProjectEnvironment
from mizzen_operator.kinds.project.status import ProjectObservation, project_status
from mizzen_operator.observation import Refusal
from mizzen_operator.observing.namespace_view import NamespaceView
from mizzen_operator.reconcile.apply import MANAGER, Applier, NamespaceEndingError, Outcome
from mizzen_operator.reconcile.caches import Caches
from mizzen_operator.reconcile.children import with_hash
from mizzen_operator.reconcile.events import Occurrence
from mizzen_operator.reconcile.kinds.limits_answer import LimitsAnswer, seconds_until_asked_again
from mizzen_operator.reconcile.kinds.namespaces import left_namespaces, namespace_write
from mizzen_operator.reconcile.kinds.pictures import Pictures
from mizzen_operator.reconcile.kinds.statuses import KindStatuses
from mizzen_operator.reconcile.writes import Write, WritePlan, plan_writes

Manifest = dict[str, Any]
OURS_TO_TAKE: Final = (NamespaceState.PENDING, NamespaceState.BOUND)
LEFTOVER_SECONDS: Final = 1.0
REFUSED_SECONDS: Final = 15.0
log = structlog.get_logger()


@dataclass
class Result:
    """What came of a pass's writes."""

    refused: dict[str, Refusal] = field(default_factory=dict)
    """By kind."""
    leftover: bool = False
    """An object of a former Project of this name has not gone yet."""
    repairs: list[Occurrence] = field(default_factory=list)


@dataclass(frozen=True)
class ProjectHands:
    """All that a pass works with."""

    api: Api
    caches: Caches
    pictures: Pictures
    applier: Applier
    statuses: KindStatuses
    limits: LimitsAnswer
    reserved: frozenset[str]

    @property
    def environment(self) -> ProjectEnvironment:
        """The installation, and whether the cluster has Kueue."""
        return ProjectEnvironment(reserved=self.reserved, kueue=self.pictures.kueue)


async def project_pass(name: str, hands: ProjectHands, now: datetime) -> float | None:
    """Bring one project nearer to what is wanted; returns after how many seconds to look again, None for never."""
    pictures = hands.pictures
    project = pictures.projects.get("", name)
    if project is None and pictures.projects.version(("", name)):
        return None  # this release cannot read it: what there is stays as it is
    await release(name, hands)
    if project is None or project.metadata.deletion_timestamp is not None:
        hands.limits.forget(name)
        return None  # the garbage collector does the rest
    result = Result()
    await bring_about(project, hands, result)
    said = await hands.limits.said(project)
    status = project_status(project, observed(project, hands, result, said), now)
    await hands.statuses.write(project, status, now, tuple(result.repairs))
    if bounds_told(status) != bounds_told(project.status):
        for place in project.namespaces:
            hands.caches.wake_namespace(place)  # what its quota leaves is otherwise now
    return seconds_until_next_look(result, said)


def bounds_told(status: ProjectStatus) -> tuple[object, ...]:
    """Return what the project's deployments ask of its status: use of the quota, and what holds it."""
    return (status.accelerators, *(one.reason for one in status.conditions if one.type == conditions.QUOTA_READY))


def seconds_until_next_look(result: Result, limits: Said | None) -> float | None:
    """Return after how many seconds to look again; None where only an event can change anything."""
    if result.leftover:
        return LEFTOVER_SECONDS
    waits = [asked] if (asked := seconds_until_asked_again(limits)) is not None else []
    if result.refused:
        waits.append(REFUSED_SECONDS)
    return min(waits, default=None)


async def bring_about(project: Project, hands: ProjectHands, result: Result) -> None:
    """Write the namespaces of the project and what it has in them."""
    views = views_of(project, hands.caches)
    live = {one: view.manifest for one, view in views.items()}
    found = states(project, hands.pictures.every_project(), live, hands.reserved)
    mine = [one.name for one in found if one.state in OURS_TO_TAKE]
    wanted = desired(project, mine, hands.caches.classes(), hands.environment)
    there = await make_namespaces(wanted, views, hands, result)
    await write_objects(project, [one for one in wanted if one["kind"] != "Namespace"], there, hands, result)


def observed(project: Project, hands: ProjectHands, result: Result, limits: Said | None) -> ProjectObservation:
    """What the status is computed from, after the writes."""
    pictures = hands.pictures
    views = views_of(project, hands.caches)
    return ProjectObservation(
        projects=pictures.every_project(),
        namespaces={name: view.manifest for name, view in views.items()},
        classes=hands.caches.classes(),
        environment=hands.environment,
        used=pictures.used(held(project, hands)),
        in_place=not result.refused and not result.leftover,
        refused=result.refused,
        queue_words=queue_words(one for one in pictures.objects_of(project) if one["kind"] == "LocalQueue"),
        limits=limits,
        deployments=pictures.deployments_of(project) if project.spec.quota.deployments is not None else 0,
    )


def held(project: Project, hands: ProjectHands) -> list[str]:
    """Return the namespaces whose pods count for the project."""
    views = views_of(project, hands.caches)
    live = {name: view.manifest for name, view in views.items()}
    found = states(project, hands.pictures.every_project(), live, hands.reserved)
    mine = (*OURS_TO_TAKE, NamespaceState.TERMINATING)
    return [one.name for one in found if one.state in mine]


def views_of(project: Project, caches: Caches) -> dict[str, NamespaceView]:
    """Return those of the project's namespaces that exist."""
    found = {name: caches.namespaces.get("", name) for name in project.namespaces}
    return {name: view for name, view in found.items() if view is not None}


async def release(name: str, hands: ProjectHands) -> None:
    """Take Mizzen's labels off the namespaces that left the project and that no other one has."""
    views = {key[1]: view for key, view in hands.caches.namespaces.items()}
    for write in left_namespaces(name, hands.pictures.every_project(), views):
        await hands.applier.update(write)
        hands.pictures.namespace_moved(write.child[1])
        log.info("namespace released", write=str(write))


async def make_namespaces(
    wanted: Iterable[Manifest], views: Mapping[str, NamespaceView], hands: ProjectHands, result: Result
) -> list[str]:
    """Make and label the namespaces; returns those that objects can be written into."""
    there = []
    for one in wanted:
        if one["kind"] != "Namespace":
            continue
        name = one["metadata"]["name"]
        write = namespace_write(one, views.get(name))
        if write is None or await _write_namespace(write, hands, result):
            there.append(name)
    return there


async def _write_namespace(write: Write, hands: ProjectHands, result: Result) -> bool:
    try:
        if write.verb == "create":
            hands.caches.learn(await hands.api.create(write.manifest, field_manager=MANAGER))
        else:
            await hands.applier.update(write)
    except AlreadyExistsError as error:
        raise ConflictError(error.message, status=409, reason="Conflict") from error
    except NotFoundError as error:
        raise ConflictError(error.message, status=409, reason="Conflict") from error
    except (ForbiddenError, InvalidError) as error:
        text = f"Namespace {write.child[1]}: {error.message}"
        result.refused.setdefault("Namespace", Refusal(conditions.APPLY_FAILED, text))
        return False
    _repaired(write, result)
    log.info("namespace written", write=str(write))
    hands.pictures.namespace_moved(write.child[1])
    return True


async def write_objects(
    project: Project, wanted: list[Manifest], there: list[str], hands: ProjectHands, result: Result
) -> None:
    """Write what differs in each namespace, and delete what the project wants no longer, wherever it lies."""
    live = hands.pictures.objects_of(project)
    places = dict.fromkeys((*there, *(str(one["metadata"]["namespace"]) for one in live)))
    for place in places:
        mine = [with_hash(one) for one in wanted if one["metadata"]["namespace"] == place and place in there]
        plan = plan_writes(project, mine, [one for one in live if one["metadata"]["namespace"] == place])
        for write in plan.writes:
            try:
                await _carry_out(project, write, hands, result)
            except NamespaceEndingError:
                break  # its end wakes the next pass


async def _carry_out(project: Project, write: Write, hands: ProjectHands, result: Result) -> None:
    outcome = Outcome()
    await hands.applier.carry_out(project, WritePlan((write,)), (), outcome)
    result.leftover = result.leftover or bool(outcome.leftover)
    for refusal in outcome.refusals:
        result.refused.setdefault(write.child[0], _as_said_of_projects(refusal, write))
    for done in outcome.done:
        _repaired(done, result)


def _repaired(write: Write, result: Result) -> None:
    if write.repair and write.live is not None:
        metadata = write.live["metadata"]
        place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
        text = f"{write.child[0]} {place}{write.child[1]}: {write.reason}, set back"
        result.repairs.append(Occurrence("Normal", "Repaired", text, metadata["resourceVersion"]))


def _as_said_of_projects(refusal: Refusal, write: Write) -> Refusal:
    place = write.manifest["metadata"]["namespace"]
    if refusal.reason == conditions.CHILD_OWNED_BY_SOMEONE_ELSE:
        return Refusal(refusal.reason, f"In namespace {place}: {refusal.message}")
    return Refusal(conditions.APPLY_FAILED, f"In namespace {place}: {refusal.message}")


def queue_words(queues: Iterable[Manifest]) -> str:
    """Return what Kueue says of the first queue that is not active; empty where all are, or nothing is said yet."""
    for queue in queues:
        for said in (queue.get("status") or {}).get("conditions") or ():
            if said.get("type") == "Active" and said.get("status") == "False":
                return str(said.get("message") or said.get("reason") or "not active")
    return ""
