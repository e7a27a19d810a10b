"""Does every story end alike, wherever the operator is killed in it? `kill -9` before and after every single write.

A kill costs a new process, so many stories share one: each runs in a namespace of its own, the proxy holds it up at its
own write (before the server has seen it, or when the server has done it and nobody has heard), and once all stand still
at their points the one process is killed. The next process is of another release, which renders another image: what was
frozen before the kill must stay as it was.
"""

import difflib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from support.cluster.cluster import Cluster, condition
from support.cluster.fault_proxy import FaultProxy
from support.cluster.faults import Asked, Fault, Rule, When
from support.cluster.objects import Object, Objects, wait_until
from support.cluster.shared import fresh_namespace
from support.crash_stories import KIND, NAME, Story
from support.end_state import RELEASES, picture, pictures
from support.model_objects import is_settled
from support.running_operator import NAMESPACE, RunningOperator

QUIET_SECONDS = 1.0
LONG = 240.0
NOTHING = picture((), "")


@dataclass(frozen=True)
class Point:
    """Where the operator is killed."""

    story: Story
    number: int
    """Which of its writes, from 1."""
    when: When

    def __str__(self) -> str:
        return f"{self.story.name}: {self.when.name.lower()} write {self.number}"


@dataclass
class Gate:
    """Lets the writes of a namespace pass up to a point, and then none."""

    point: Point
    objects: Objects
    at: Asked | None = None
    rules: list[Rule] = field(default_factory=list)

    def shut(self, proxy: FaultProxy) -> None:
        """From now on."""
        skip, when = self.point.number - 1, self.point.when
        at_point = Rule(Fault.DROP, self._is_mine, when=when, skip=skip, times=1)
        behind = Rule(Fault.DROP, lambda each: self.at is not None and self.at is not each and self._is_here(each))
        self.rules = [proxy.add(at_point), proxy.add(behind)]

    def open(self, proxy: FaultProxy) -> None:
        """Let all pass."""
        for rule in self.rules:
            proxy.remove(rule)

    @property
    def reached(self) -> bool:
        """The story stands still at its point."""
        return self.at is not None and (self.point.when is When.BEFORE or self.at.status > 0)

    def _is_mine(self, each: Asked) -> bool:
        if self.at is not None or not self._is_here(each):
            return False
        if self.rules[0].seen == self.point.number - 1:
            self.at = each
        return True

    def _is_here(self, each: Asked) -> bool:
        return each.number > 0 and each.namespace == self.objects.namespace


@dataclass
class Undisturbed:
    """How a story ends when nobody is killed, and how many writes it takes at most."""

    picture: str
    writes: list[str]


class CrashMatrix:
    """The stories of one cluster and one operator behind a proxy."""

    def __init__(self, cluster: Cluster, proxy: FaultProxy, running: RunningOperator, stories: Sequence[Story]) -> None:
        self._cluster, self._proxy, self._running = cluster, proxy, running
        self._stories = stories
        self._kills = 0
        self.undisturbed = self._measured()

    def points(self) -> Iterator[Point]:
        """Before and after every write of every story."""
        for story in self._stories:
            for number in range(1, len(self.undisturbed[story.name].writes) + 1):
                yield Point(story, number, When.BEFORE)
                yield Point(story, number, When.AFTER)

    def run(self, points: Sequence[Point]) -> list[Point]:
        """Kill once at all of these points; those that were reached. AssertionError where one ended otherwise."""
        gates = [Gate(point, fresh_namespace(self._cluster)) for point in points]
        self._begin([(gate.point.story, gate.objects) for gate in gates])
        for gate in gates:
            gate.shut(self._proxy)
        for gate in gates:
            gate.point.story.act(gate.objects)
        wait_until(lambda: self._all_stand(gates), LONG, lambda: self._tell_standing(gates))
        reached = [gate for gate in gates if gate.reached]
        self._kill(gates)
        ends = {gate.objects.namespace: self._wanted_end(gate) for gate in gates}
        self._compare(ends, {gate.objects.namespace: str(gate.point) for gate in gates})
        self._forget(gate.objects for gate in gates)
        return [gate.point for gate in reached]

    def _wanted_end(self, gate: Gate) -> str:
        return NOTHING if gate.point.story.leaves_nothing else self.undisturbed[gate.point.story.name].picture

    def _measured(self) -> dict[str, Undisturbed]:
        """Each story twice, undisturbed: both must end alike, or nothing can be compared."""
        runs = [(story, fresh_namespace(self._cluster)) for story in self._stories for _ in range(2)]
        self._begin(runs)
        self._proxy.forget()
        for story, objects in runs:
            story.act(objects)
        self._settle([objects for _, objects in runs])
        found = pictures(self._cluster.objects, [objects.namespace for _, objects in runs])
        writes = [[str(one) for one in self._proxy.writes if one.namespace == objects.namespace] for _, objects in runs]
        measured = {}
        for number, (story, objects) in enumerate(runs):
            text = found[objects.namespace]
            known = measured.setdefault(story.name, Undisturbed(text, writes[number]))
            assert text == known.picture, f"{story.name} undisturbed:\n{_difference(known.picture, text)}"
            known.writes = max(known.writes, writes[number], key=len)
        self._forget(objects for _, objects in runs)
        return measured

    def _begin(self, runs: Sequence[tuple[Story, Objects]]) -> None:
        """Bring each story to where its own change is made."""
        for step in range(max(len(story.begin) for story, _ in runs)):
            begun = [(story.begin[step], objects) for story, objects in runs if step < len(story.begin)]
            for change, objects in begun:
                change(objects)
            self._settle([objects for _, objects in begun])

    def _settle(self, namespaces: Sequence[Objects]) -> None:
        """Return once all have become what was asked for and nothing is written any more."""
        names = {objects.namespace for objects in namespaces}

        def settled() -> bool:
            every = [one for one in self._cluster.objects.list(KIND, "*") if one["metadata"]["namespace"] in names]
            return len(every) == len(names) and all(map(_rolled_out, every)) and self._quiet()

        wait_until(settled, LONG, self._running.tell)

    def _quiet(self) -> bool:
        writes = self._proxy.writes
        return not writes or time.monotonic() - writes[-1].at > QUIET_SECONDS

    def _all_stand(self, gates: Sequence[Gate]) -> bool:
        """Every story is at its point, or has ended without coming there."""
        missing = [gate for gate in gates if not gate.reached]
        if not missing:
            return True
        if not self._quiet():
            return False
        found = pictures(self._cluster.objects, [gate.objects.namespace for gate in missing])
        ends = [self.undisturbed[gate.point.story.name].picture for gate in missing]
        return all(found[gate.objects.namespace] == end for gate, end in zip(missing, ends, strict=True))

    def _kill(self, gates: Sequence[Gate]) -> None:
        """Kill -9, and start the other release; the dead one's lease is not waited for."""
        for gate in gates:
            if gate.point.story.at_kill is not None:
                gate.point.story.at_kill(gate.objects)
        self._running.process.kill()
        for gate in gates:
            gate.open(self._proxy)
        self._kills += 1
        self._running.environment["MIZZEN_PLATFORM_IMAGE"] = RELEASES[self._kills % len(RELEASES)]
        self._cluster.objects.delete("Lease", "mizzen-operator", NAMESPACE)
        self._running.process.start()
        self._running.wait_ready()

    def _compare(self, ends: dict[str, str], told: dict[str, str]) -> None:
        """All come to their ends, and stay there."""
        found: dict[str, str] = {}

        def ended() -> bool:
            if not self._quiet():
                return False
            found.update(pictures(self._cluster.objects, ends))
            return found == ends and self._quiet()

        try:
            wait_until(ended, LONG, "other ends")
        except AssertionError:
            wrong = [name for name, text in ends.items() if found.get(name, text) != text]
            shown = "\n\n".join(
                f"killed in {told[name]}:\n{_difference(ends[name], found[name])}\n{self._history(name)}"
                for name in wrong
            )
            shown = shown or f"writes go on: {self._proxy.writes[-10:]}"
            raise AssertionError(f"{len(wrong)} of {len(ends)} ended otherwise\n{shown}") from None

    def _history(self, namespace: str) -> str:
        """What was written in a namespace, and what the operator says of it."""
        writes = [str(one) for one in self._proxy.writes if one.namespace == namespace]
        lines = [line for line in self._running.process.log.read_text().splitlines() if f'"{namespace}"' in line]
        return "\n".join([*writes, *lines[-30:]])

    def _forget(self, namespaces: Iterator[Objects]) -> None:
        """Later batches need not wait for these."""
        for objects in namespaces:
            objects.delete("Namespace", objects.namespace)

    def _tell_standing(self, gates: Sequence[Gate]) -> str:
        found = pictures(self._cluster.objects, [gate.objects.namespace for gate in gates])
        missing = [gate for gate in gates if not gate.reached]
        differences = [
            f"{gate.point}:\n"
            + _difference(self.undisturbed[gate.point.story.name].picture, found[gate.objects.namespace])
            for gate in missing
        ]
        return "neither held up nor at their end: " + "\n\n".join(differences)


def batches(points: Sequence[Point], size: int) -> Iterator[Sequence[Point]]:
    """So many at a time."""
    for first in range(0, len(points), size):
        yield points[first : first + size]


def _rolled_out(deployment: Object) -> bool:
    status = deployment.get("status", {})
    wanted = deployment["spec"]["replicas"]
    counts = {status.get(name) for name in ("replicas", "readyReplicas", "updatedReplicas", "desiredReplicas")}
    return is_settled(deployment) and condition(deployment, "UpToDate").get("status") == "True" and counts == {wanted}


def _difference(wanted: str, found: str) -> str:
    lines = difflib.unified_diff(wanted.splitlines(), found.splitlines(), "undisturbed", "now", lineterm="", n=4)
    return "\n".join(list(lines)[:150])


__all__ = ["NAME", "CrashMatrix", "Gate", "Point", "batches"]
