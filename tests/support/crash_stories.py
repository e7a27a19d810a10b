"""What does a person do while the operator is killed? Create, update, scale, roll out, back, delete, begin anew."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from support.cluster.objects import Objects
from support.model_objects import model

KIND = "ModelDeployment"
NAME = "chat"
Change = Callable[[Objects], object]


@dataclass(frozen=True)
class Story:
    """One change by a person, whose writes are disturbed one by one."""

    name: str
    act: Change
    begin: tuple[Change, ...] = ()
    """What was done before; each has settled when the next is done."""
    at_kill: Change | None = None
    """Done by the person in the moment the operator is killed."""

    @property
    def leaves_nothing(self) -> bool:
        """What is made in it does not outlast the kill."""
        return self.at_kill is not None


def created(replicas: int = 2, version: str = "1", **rollout: Any) -> Change:
    """A new deployment; of retired revisions one is kept."""
    asked = {"revisionHistoryLimit": 1, "minAvailable": 1, **rollout}
    body = model(NAME, replicas=replicas, podOverrides=_marked(version), rollout=asked)
    return lambda objects: objects.create(body)


def merged(**spec: Any) -> Change:
    """Other fields of the spec."""
    return lambda objects: objects.merge(KIND, NAME, {"spec": spec})


def revision(version: str) -> Change:
    """Other pods."""
    return merged(podOverrides=_marked(version))


def deleted(objects: Objects) -> None:
    """Gone, with all that it owns."""
    objects.delete(KIND, NAME, propagationPolicy="Background")


def begun_anew(objects: Objects) -> None:
    """Deleted, and at once another of that name."""
    deleted(objects)
    created(version="9")(objects)


def _marked(version: str) -> dict[str, dict[str, str]]:
    return {"labels": {"test.mizzen.dev/version": version}}


STORIES = (
    Story("create", created()),
    Story("update", merged(rollout={"minAvailable": None}), (created(),)),
    Story("scale up", merged(replicas=3), (created(),)),
    Story("scale down", merged(replicas=1), (created(replicas=3),)),
    Story("rollout", revision("3"), (created(), revision("2"))),
    Story("rollback", revision("1"), (created(strategy="Replace"), revision("2"))),
    Story("delete", created(), at_kill=deleted),
    Story("begin anew", begun_anew, (created(),)),
)
