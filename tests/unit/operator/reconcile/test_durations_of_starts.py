"""How long did a start take? Only what was seen as a start is counted, however often readiness comes and goes after."""

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

from mizzen_crds.v1alpha1.model_deployment.status import StartupPhase, StartupStatus
from mizzen_operator.ledgers.advance_ledger import AdvanceLedger
from mizzen_operator.ledgers.startup_ledger import StartupLedger
from mizzen_operator.observing.pod_view import PodView, pod_view
from mizzen_operator.observing.replicas import observed_pod
from mizzen_operator.reconcile.run import Hands, count_starts
from mizzen_operator.reconcile.seen import Seen
from mizzen_operator.reconcile.telemetry import Telemetry
from support.deployments import NOON

KEY = ("default", "d")
DAYS = 10 * 24 * 3600
RECORDED = StartupStatus(
    last_seconds=31,
    p50_seconds=30,
    phases=[StartupPhase(name="fetch", seconds=3), StartupPhase(name="load", seconds=20)],
)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


class Program:
    """One operator's time of leading, from `since` on; its hands are as far as starts are concerned."""

    def __init__(self, since: float, recorded: StartupStatus | None = None) -> None:
        self.telemetry, self.startups = Telemetry(), StartupLedger()
        self.startups.begin(at(since))
        self.recorded = recorded
        parts = SimpleNamespace(telemetry=self.telemetry, startups=self.startups, advances=AdvanceLedger())
        self._hands = cast(Hands, parts)

    def sees(self, pod: PodView, now: float) -> StartupStatus | None:
        """A pass sees the pod; returns what the status says then."""
        count_starts(KEY, Seen((), (pod,), {}), self.recorded, self._hands)
        seen = observed_pod(pod, self.startups.of("default/p"), at(now))
        phases = seen.phases if not pod.ready or any(one.name == "load" for one in seen.phases) else ()
        self.recorded = self.startups.status(KEY, phases, self.recorded)
        return self.recorded

    @property
    def counted(self) -> float:
        """Starts that the histogram has."""
        samples = [one for metric in self.telemetry.registry.collect() for one in metric.samples]
        named = "mizzen_operator_startup_phase_seconds_count"
        return sum(one.value for one in samples if one.name == named and one.labels["phase"] == "load")


def a_pod(*, ready_since: float | None = None, started: bool = True, restarts: int = 0) -> PodView:
    """A pod made at noon whose engine runs since 10 s later."""
    ready: dict[str, Any] = {"type": "Ready", "status": "False", "lastTransitionTime": at(0).isoformat()}
    if ready_since is not None:
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": at(ready_since).isoformat()}
    engine: dict[str, Any] = {"name": "engine", "state": {"running": {"startedAt": at(10).isoformat()}}}
    engine |= {"started": started, "restartCount": restarts}
    metadata = {"name": "p", "namespace": "default", "uid": "u", "creationTimestamp": at(0).isoformat()}
    status = {"conditions": [ready], "containerStatuses": [engine]}
    return pod_view({"metadata": metadata, "spec": {"nodeName": "a"}, "status": status})


def load(told: StartupStatus | None) -> int | None:
    assert told is not None
    return next((one.seconds for one in told.phases if one.name == "load"), None)


def test_a_start_is_counted_with_the_time_of_its_first_readiness() -> None:
    program = Program(-60)
    program.sees(a_pod(started=False), 20)
    told = program.sees(a_pod(ready_since=50), 52)
    assert told is not None
    assert (told.last_seconds, load(told), program.counted) == (50, 40, 1)


def test_readiness_that_comes_and_goes_changes_no_duration() -> None:
    program = Program(-60)
    program.sees(a_pod(started=False), 20)
    program.sees(a_pod(ready_since=50), 52)
    program.sees(a_pod(), DAYS)
    told = program.sees(a_pod(ready_since=DAYS + 5), DAYS + 10)
    assert told is not None
    assert (told.last_seconds, load(told), program.counted) == (50, 40, 1)


def test_an_operator_that_begins_anew_keeps_what_is_recorded_and_counts_no_start_again() -> None:
    program = Program(DAYS, RECORDED)
    for pod in (a_pod(ready_since=50), a_pod(ready_since=DAYS - 5), a_pod(), a_pod(ready_since=DAYS + 60)):
        assert program.sees(pod, DAYS + 70) == RECORDED
    assert program.counted == 0


def test_an_operator_that_begins_while_readiness_is_gone_takes_its_return_for_no_start() -> None:
    for gone in (a_pod(), a_pod(started=False, restarts=2)):
        program = Program(DAYS, RECORDED)
        program.sees(gone, DAYS + 1)
        told = program.sees(a_pod(ready_since=DAYS + 60), DAYS + 70)
        assert told is not None
        assert (told.last_seconds, told.p50_seconds, program.counted) == (31, 30, 0)


def test_a_start_that_was_under_way_when_an_operator_began_is_counted() -> None:
    program = Program(30, RECORDED)
    program.sees(a_pod(started=False), 31)
    told = program.sees(a_pod(ready_since=50), 52)
    assert told is not None
    assert (told.last_seconds, told.p50_seconds, load(told), program.counted) == (50, 40, 40, 1)


def test_a_start_so_fast_that_no_pass_saw_it_begin_is_counted() -> None:
    program = Program(-60)
    told = program.sees(a_pod(ready_since=12), 13)
    assert told is not None
    assert (told.last_seconds, load(told), program.counted) == (12, 2, 1)


def test_a_crash_while_a_start_is_watched_belongs_to_the_start() -> None:
    program = Program(-60)
    program.sees(a_pod(started=False), 20)
    program.sees(a_pod(started=False, restarts=3), 40)
    told = program.sees(a_pod(ready_since=90, restarts=3), 91)
    assert told is not None
    assert told.last_seconds == 90


def test_after_another_time_of_leading_what_others_counted_stands() -> None:
    program = Program(-60)
    program.sees(a_pod(ready_since=12), 13)
    program.startups.begin(at(DAYS))
    program.recorded = RECORDED
    assert program.startups.status(KEY, (), RECORDED) == RECORDED
