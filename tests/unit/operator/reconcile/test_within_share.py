"""How many replicas does the project's quota of a class cover?"""

from datetime import UTC, datetime

import pytest
from mizzen_operator.reconcile.decision import within_share
from mizzen_operator.rollout.fleet import Capacity, Fleet, ObservedPod, ObservedRevision

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def fleet(told: int, live: int) -> Fleet:
    pods = tuple(ObservedPod(f"p{number}", NOON) for number in range(live))
    return Fleet((ObservedRevision("chat-a", "a", NOON, told, pods),))


@pytest.mark.parametrize(
    ("wanted", "told", "live", "left", "granted"),
    [
        pytest.param(3, 0, 0, None, 3, id="no bound"),
        pytest.param(3, 0, 0, 6, 3, id="covered"),
        pytest.param(3, 0, 0, 5, 2, id="two fit"),
        pytest.param(3, 0, 0, 1, 0, id="none fits"),
        pytest.param(3, 2, 2, 0, 2, id="what runs stays"),
        pytest.param(3, 3, 0, 0, 3, id="what was told stays told while its pods are being made"),
        pytest.param(1, 3, 3, 0, 1, id="fewer is always granted"),
        pytest.param(4, 3, 2, 2, 3, id="one that is being replaced and none more"),
    ],
)
def test_replicas_are_granted_as_far_as_the_share_goes(
    wanted: int, told: int, live: int, left: int | None, granted: int
) -> None:
    capacity = Capacity(share_accelerators=left)
    assert within_share({"a": wanted}, fleet(told, live), capacity, 2) == {"a": granted}


def test_replicas_without_accelerators_are_not_bound() -> None:
    assert within_share({"a": 3}, fleet(0, 0), Capacity(share_accelerators=0), 0) == {"a": 3}


def test_revisions_share_what_is_left() -> None:
    two = Fleet((*fleet(1, 1).revisions, ObservedRevision("chat-b", "b", NOON)))
    assert within_share({"b": 2, "a": 2}, two, Capacity(share_accelerators=2), 1) == {"b": 2, "a": 1}
