"""How many more accelerators a project may hold."""

from mizzen_operator.kinds.project.quota import hard, left
from support.projects import h100, project

EIGHT = {"accelerators": [{"acceleratorClass": "h100", "count": 8}]}


def test_what_is_left_is_the_count_less_what_is_used_and_never_below_zero() -> None:
    assert left(project(quota=EIGHT), "h100", {"h100": 3}) == 5
    assert left(project(quota=EIGHT), "h100", {"h100": 9}) == 0


def test_a_class_outside_the_quota_may_not_be_used() -> None:
    assert left(project(quota=EIGHT), "l4", {}) == 0


def test_without_a_quota_nothing_is_bound_here() -> None:
    assert left(project(), "h100", {"h100": 100}) is None


def test_a_queue_takes_accelerators_out_of_the_bounds_only_where_kueue_is() -> None:
    queued = project(quota=EIGHT, queue={"clusterQueue": "research"})
    classes = {"h100": h100()}
    assert hard(queued, classes, "kueue.x-k8s.io/v1beta1") == {}
    assert hard(queued, classes, "") == hard(project(quota=EIGHT), classes, "") == {"requests.nvidia.com/gpu": "8"}
