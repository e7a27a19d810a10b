"""What fault tests of the operator share: a server that is away for a while, waiting, counting what was asked."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from support.cluster.cluster import condition
from support.cluster.fault_proxy import FaultProxy
from support.cluster.faults import Fault, Rule
from support.cluster.objects import Object, Objects, wait_until
from support.model_objects import children, looked_at, pods
from support.running_operator import RunningOperator

CHILDREN = 6
LONG = 120.0
KIND = "ModelDeployment"
BEHAVES = "test.mizzen.dev/pod"
"""In podOverrides.labels: how the pods behave on the nodes."""


def marked(version: str, behaves: str = "usual") -> dict[str, dict[str, str]]:
    """podOverrides: another version is another revision."""
    return {"labels": {"test.mizzen.dev/version": version, BEHAVES: behaves}}


def whole(objects: Objects, name: str, seconds: float = LONG) -> Object:
    """The deployment once it was looked at and has its children."""
    found = objects.wait(KIND, name, looked_at, seconds)
    wait_until(lambda: len(children(objects, name)) >= CHILDREN, seconds, f"{name} lacks children")
    return found


def rolled_out(objects: Objects, name: str, seconds: float = LONG) -> Object:
    """The deployment once all its replicas are of the newest revision, and ready."""

    def holds(one: Object) -> bool:
        status = one.get("status", {})
        said = all(condition(one, kind).get("status") == "True" for kind in ("Ready", "UpToDate"))
        counts = {status.get(each) for each in ("replicas", "readyReplicas", "updatedReplicas")}
        return looked_at(one) and said and counts == {one["spec"]["replicas"]}

    return objects.wait(KIND, name, holds, seconds)


def pod_versions(objects: Objects, name: str) -> set[str]:
    """Versions of the pods that stay."""
    stay = (one for one in pods(objects, name) if "deletionTimestamp" not in one["metadata"])
    return {one["metadata"]["labels"]["test.mizzen.dev/version"] for one in stay}


def pass_time(seconds: float) -> None:
    """Let time go by, where it is the length of a trouble that matters."""
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= until, seconds + 60, "time stands still")


@dataclass
class Asked:
    """What was asked while a trouble lasted: by verb and resource, how often."""

    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)

    def most(self) -> tuple[str, int]:
        """What was asked most often."""
        return max(self.counts.items(), key=lambda item: item[1], default=("nothing", 0))


@contextmanager
def counted(proxy: FaultProxy) -> Iterator[Asked]:
    """Count the requests of a `with`."""
    asked, before, began = Asked(), len(proxy.requests), time.monotonic()
    yield asked
    asked.seconds = time.monotonic() - began
    asked.counts.update(f"{each.verb} {each.resource}" for each in proxy.requests[before:])


@contextmanager
def unhurt(running: RunningOperator) -> Iterator[None]:
    """Afterwards the operator is the same process, leads, and no pass of it failed by a mistake of its own."""
    pid = running.process.pid
    yield
    running.wait_ready(LONG)
    assert running.process.pid == pid
    assert running.metric("mizzen_operator_pass_seconds_count", outcome="failed") == 0
    assert running.get("/healthz").status_code == 200


def knows_what_is_there(objects: Objects, running: RunningOperator) -> bool:
    """The operator knows as many deployments as the server has: it missed none, and forgot those that are gone."""
    return running.metric("mizzen_operator_deployments") == len(objects.list(KIND, "*"))


def outlive_absence(objects: Objects, proxy: FaultProxy, running: RunningOperator, seconds: float) -> Asked:
    """The server is away for so long in the middle of a rollout, while people go on; what the operator asked then.

    Every connection ends and none is answered. Afterwards all is as asked for: a child that vanished is back, what was
    made meanwhile is there, what was deleted is forgotten, and the rollout is over.
    """
    objects.merge(KIND, "rolling", {"spec": {"podOverrides": marked("2")}})
    with unhurt(running), counted(proxy) as asked, proxy.rule(Rule(Fault.CUT)):
        proxy.cut_connections()
        objects.create(_plain("meanwhile"))
        objects.delete(KIND, "deleted", propagationPolicy="Background")
        objects.delete("NetworkPolicy", "rolling")
        pass_time(seconds)
        assert running.metric("mizzen_operator_leading") == 0, "it lost its lease meanwhile"
    whole(objects, "meanwhile")
    rolled_out(objects, "rolling")
    assert pod_versions(objects, "rolling") == {"2"}
    objects.wait("NetworkPolicy", "rolling", lambda one: True, LONG)
    wait_until(lambda: knows_what_is_there(objects, running), LONG, running.tell)
    return asked


def before_absence(objects: Objects) -> None:
    """What `outlive_absence` needs."""
    objects.create(_plain("deleted"))
    objects.create(_plain("rolling", podOverrides=marked("1"), replicas=3))
    rolled_out(objects, "rolling")
    rolled_out(objects, "deleted")


def _plain(name: str, **spec: object) -> Object:
    body = {"model": {"uri": "hf://org/repo@main"}, "engine": {"type": "Simulated"}, **spec}
    return {"apiVersion": "mizzen.dev/v1alpha1", "kind": KIND, "metadata": {"name": name}, "spec": body}
