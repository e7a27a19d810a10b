"""Which starts are taken for stuck? Those whose own posts say so, and none whose posts had another reader."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from mizzen_crds.serving import StartupProgress
from mizzen_operator.kinds.model_deployment.startup import LONGEST_SILENCE_SECONDS
from mizzen_operator.ledgers.startup_ledger import PodProgress, StartupLedger
from mizzen_operator.observing.pod_view import PodView, pod_view
from mizzen_operator.reconcile.pod_actions import PodAction, stalled_pods

BORN = datetime(2026, 1, 1, 12, tzinfo=UTC)
ALLOWED = 300
CALLED = frozenset({"attendant", "fetch", "layout"})


def after(seconds: float) -> datetime:
    return BORN + timedelta(seconds=seconds)


def told(seconds: float) -> str:
    return after(seconds).isoformat().replace("+00:00", "Z")


def running(name: str, since: float, **before: Any) -> dict[str, Any]:
    return {"name": name, "state": {"running": {"startedAt": told(since)}}, **before}


def starting(*init: dict[str, Any], sidecar: str = "") -> PodView:
    """A pod whose init containers are so."""
    marks = {"mizzen.dev/deployment": "d", "mizzen.dev/revision": "r", "mizzen.dev/phase": "fetch"}
    metadata = {"name": "p", "namespace": "n", "uid": "u", "creationTimestamp": told(0), "labels": marks}
    return pod_view(
        {
            "metadata": metadata,
            "spec": {"nodeName": "a", "initContainers": [{"name": sidecar, "restartPolicy": "Always"}]},
            "status": {"initContainerStatuses": list(init)},
        }
    )


def heard(phase: str, at: float, advanced: float) -> PodProgress:
    """What a container that posts each second has told until `at`; `advanced` is when it last had more to tell."""
    post = StartupProgress(pod="p", phase=phase, bytes_done=5, bytes_total=10, seconds=1)
    return PodProgress({phase: post}, after(advanced), {phase: after(at)})


def ended(
    pod: PodView, now: float, progress: PodProgress | None = None, *, listening: float = 0, allowed: int = ALLOWED
) -> list[PodAction]:
    """What is done to the pod at `now` by an operator that leads since `listening`."""
    return stalled_pods([pod], lambda _: progress or PodProgress(), allowed, after(listening), after(now))


def test_a_fetch_that_says_itself_that_nothing_comes_is_ended() -> None:
    (action,) = ended(starting(running("fetch", 2)), 400, heard("fetch", 399, advanced=50))
    assert action.verb == "delete"
    assert action.failure is not None
    assert action.failure.reason == "LoadStalled"
    assert "since 12:00:50" in action.failure.message


def test_a_fetch_that_comes_forward_is_not_ended() -> None:
    assert ended(starting(running("fetch", 2)), 4000, heard("fetch", 3999, advanced=3990)) == []


def test_an_operator_that_begins_to_lead_ends_no_start_for_what_it_could_not_hear() -> None:
    long_fetch = starting(running("fetch", 2))
    begun = 2.0 * LONGEST_SILENCE_SECONDS
    assert ended(long_fetch, begun, listening=begun) == []
    assert ended(long_fetch, begun + 2 * ALLOWED, listening=begun) == []
    assert ended(long_fetch, begun + 2, heard("fetch", begun + 1, advanced=begun + 1), listening=begun) == []


def test_an_operator_that_begins_to_lead_finds_a_standstill_by_what_it_then_hears() -> None:
    begun = 7200.0
    still = heard("fetch", begun + ALLOWED + 5, advanced=begun + 1)
    assert len(ended(starting(running("fetch", 2)), begun + ALLOWED + 6, still, listening=begun)) == 1


def test_a_second_attempt_of_a_fetch_is_found_as_the_first_one_is() -> None:
    failed = {"exitCode": 1, "startedAt": told(2), "finishedAt": told(20)}
    again = starting(running("fetch", 30, lastState={"terminated": failed}, restartCount=1))
    assert len(ended(again, 800, heard("fetch", 799, advanced=40))) == 1
    assert ended(again, 800, heard("fetch", 799, advanced=790)) == []


def test_a_fetch_that_waits_for_its_next_attempt_is_not_taken_for_stuck() -> None:
    failed = {"exitCode": 1, "startedAt": told(2), "finishedAt": told(20)}
    waits = {"name": "fetch", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": failed}}
    assert ended(starting(waits), 2 * LONGEST_SILENCE_SECONDS, heard("fetch", 900, advanced=15)) == []


@pytest.mark.parametrize("name", sorted(CALLED))
def test_a_container_that_tells_nothing_is_ended_only_after_the_longest_time_that_a_start_may_take(name: str) -> None:
    silent = starting(running(name, 2))
    assert ended(silent, LONGEST_SILENCE_SECONDS) == []
    (action,) = ended(silent, LONGEST_SILENCE_SECONDS + 10)
    assert action.failure is not None
    assert "reported no progress at all" in action.failure.message


def test_posts_that_are_lost_from_some_time_on_are_no_standstill() -> None:
    lost = heard("fetch", 100, advanced=99)
    assert ended(starting(running("fetch", 2)), 100 + 10 * ALLOWED, lost) == []
    assert len(ended(starting(running("fetch", 2)), 110 + LONGEST_SILENCE_SECONDS, lost)) == 1


def test_silence_is_borne_at_least_as_long_as_a_standstill() -> None:
    patient = 2 * LONGEST_SILENCE_SECONDS
    assert ended(starting(running("fetch", 2)), patient, allowed=patient) == []


def test_what_was_heard_in_an_earlier_time_of_leading_says_nothing_any_more() -> None:
    ledger = StartupLedger()
    ledger.record(StartupProgress(pod="p", phase="fetch", bytes_done=1, seconds=1), "n/p")
    assert ledger.of("n/p").heard_at
    ledger.begin(after(7))
    assert (ledger.of("n/p"), ledger.since) == (PodProgress(), after(7))


def test_a_slow_load_is_never_ended_for_standing_still() -> None:
    loading = starting(
        {"name": "fetch", "state": {"terminated": {"exitCode": 0, "startedAt": told(2), "finishedAt": told(5)}}}
    )
    assert ended(loading, 2 * LONGEST_SILENCE_SECONDS, heard("fetch", 5, advanced=4)) == []


def test_a_sidecar_that_runs_as_long_as_the_pod_is_no_start() -> None:
    failed = {"exitCode": 21, "startedAt": told(2), "finishedAt": told(20)}
    waits = {"name": "fetch", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": failed}}
    assert ended(starting(running("proxy", 1), waits, sidecar="proxy"), 2 * LONGEST_SILENCE_SECONDS) == []
    assert len(ended(starting(running("injected", 1)), 2 * LONGEST_SILENCE_SECONDS)) == 1
