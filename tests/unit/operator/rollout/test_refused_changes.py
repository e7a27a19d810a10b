"""A refused change in the middle of a rollout: the serving revision stays, what was on its way up goes."""

from datetime import timedelta

import pytest
from mizzen_crds.v1alpha1.model_deployment.status import RevisionState, RevisionStatus
from mizzen_operator.rollout.fleet import Fleet, ObservedPod, ObservedRevision
from mizzen_operator.rollout.refused import kept_while_refused
from support.deployments import NOON

SERVING, PROGRESSING = RevisionState.SERVING, RevisionState.PROGRESSING


def revision(name: str, age: int, replicas: int, ready: int) -> ObservedRevision:
    made = NOON - timedelta(seconds=age)
    pods = tuple(ObservedPod(f"{name}-{number}", made, ready=number < ready) for number in range(replicas))
    return ObservedRevision(name, name, made, replicas, pods)


def known(**states: RevisionState) -> list[RevisionStatus]:
    return [RevisionStatus(name=name, hash=name, created_at=NOON, state=state) for name, state in states.items()]


@pytest.mark.parametrize(
    ("old", "new", "wanted", "kept", "traffic"),
    [
        ((1, 1), (1, 1), 1, {"old": 1, "new": 0}, {"old": 100}),
        ((3, 3), (1, 0), 3, {"old": 3, "new": 0}, {"old": 100}),
        ((1, 1), (2, 2), 3, {"old": 3, "new": 2}, None),
        ((3, 2), (2, 2), 3, {"old": 3, "new": 1}, None),
        ((1, 0), (1, 1), 1, {"old": 1, "new": 1}, None),
    ],
)
def test_the_serving_revision_comes_back_before_the_other_goes(old, new, wanted, kept, traffic):
    fleet = Fleet((revision("old", 90, *old), revision("new", 10, *new)))
    found = kept_while_refused(known(old=SERVING, new=PROGRESSING), fleet, wanted)
    assert (found.replicas, found.traffic) == (kept, traffic)


def test_a_revision_that_runs_alone_keeps_the_replicas_last_told():
    found = kept_while_refused(known(old=SERVING), Fleet((revision("old", 90, 2, 2), revision("gone", 99, 0, 0))), 5)
    assert (found.replicas, found.traffic) == ({"old": 2, "gone": 0}, {"old": 100})


def test_where_none_served_before_the_one_with_ready_pods_stays():
    fleet = Fleet((revision("old", 90, 1, 0), revision("new", 10, 1, 1)))
    found = kept_while_refused(known(old=RevisionState.RETIRING, new=PROGRESSING), fleet, 1)
    assert found.replicas == {"old": 0, "new": 1}


def test_after_a_switch_the_revision_that_has_the_traffic_stays():
    fleet = Fleet((revision("old", 90, 1, 1), revision("new", 10, 1, 1)))
    told = known(old=RevisionState.RETIRING, new=PROGRESSING)
    told[1] = told[1].model_copy(update={"traffic_percent": 100})
    found = kept_while_refused(told, fleet, 1)
    assert (found.replicas, found.traffic) == ({"old": 0, "new": 1}, {"new": 100})


def test_nothing_changes_while_no_pod_is_ready_and_none_served():
    found = kept_while_refused(known(new=PROGRESSING), Fleet((revision("new", 10, 1, 0),)), 1)
    assert (found.replicas, found.traffic) == ({"new": 1}, None)
