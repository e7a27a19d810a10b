"""Which deployments begin where a project's quota bounds their number?"""

from typing import Any

from mizzen_operator.kinds.project.places import Standing, place_refusal, standing
from support.projects import project

TWO = project(quota={"deployments": 2})


def one(uid: str, *, minute: int = 0, begun: bool = False) -> Standing:
    return Standing(uid, f"2026-01-01T00:{minute:02}:00Z", begun)


def begin(*every: Standing, of: Any = TWO) -> list[str]:
    return [mine.uid for mine in every if place_refusal(of, mine, every) is None]


def test_the_oldest_begin_and_of_two_of_one_age_the_smaller_uid() -> None:
    assert begin(one("c", minute=2), one("a", minute=1), one("b")) == ["a", "b"]
    assert begin(one("c"), one("a"), one("b")) == ["a", "b"]


def test_what_has_begun_keeps_its_place_before_older_ones_and_under_a_lower_quota() -> None:
    assert begin(one("old"), one("young", minute=9, begun=True), one("middle", minute=5)) == ["old", "young"]
    running = [one(name, begun=True) for name in "abc"]
    assert begin(*running, one("new", minute=1), of=project(quota={"deployments": 0})) == ["a", "b", "c"]


def test_the_refusal_names_the_quota_what_goes_before_and_what_helps() -> None:
    every = [one("a"), one("b"), one("c")]
    refusal = place_refusal(TWO, every[2], every)
    assert refusal is not None
    assert refusal.reason == "DeploymentQuotaExceeded"
    assert "spec.quota.deployments of project team-a is 2, and 2 deployments go before this one" in refusal.message
    assert "raised to 3 (`mizzen quotas set`" in refusal.message


def test_without_a_bound_everyone_begins() -> None:
    assert begin(*(one(name) for name in "abcd"), of=project()) == list("abcd")


def test_a_deployment_has_begun_once_it_has_a_revision() -> None:
    metadata = {"uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"}
    assert not standing({"metadata": metadata}).begun
    assert standing({"metadata": metadata, "status": {"revisions": [{"hash": "abc"}]}}).begun
