"""Which project has a namespace."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mizzen_operator.kinds.project.claims import owners, states
from support.deployments import NOON
from support.projects import project


def _states(one, *others, live=("a", "b"), reserved=()):
    found = {name: {"metadata": {"name": name}} for name in live}
    return {each.name: (each.state.value, each.project) for each in states(one, others, found, reserved)}


def test_the_oldest_project_keeps_a_namespace() -> None:
    old, new = project("old", namespaces=["a"]), project("new", minutes=1, namespaces=["a", "b"])
    assert _states(old, new) == {"a": ("Bound", "old")}
    assert _states(new, old) == {"a": ("Claimed", "old"), "b": ("Bound", "new")}


def test_of_two_of_one_age_the_smaller_uid_keeps_it() -> None:
    one, two = (project(name, uid=uid, namespaces=["a"]) for name, uid in (("one", "uid-2"), ("two", "uid-1")))
    assert _states(one, two)["a"] == ("Claimed", "two")
    assert _states(two, one)["a"] == ("Bound", "two")


def test_a_project_that_is_being_deleted_gives_its_namespaces_up() -> None:
    old = project("old", namespaces=["a"], deleted=True)
    assert _states(project("new", minutes=1, namespaces=["a"]), old)["a"] == ("Bound", "new")


def test_a_project_without_namespaces_claims_the_one_of_its_name() -> None:
    assert _states(project("a")) == {"a": ("Bound", "a")}
    assert _states(project("other", minutes=1, namespaces=["a"]), project("a"))["a"] == ("Claimed", "a")


def test_a_namespace_that_is_missing_or_on_its_way_out_is_not_bound() -> None:
    assert _states(project("p", namespaces=["a"]), live=())["a"] == ("Pending", "p")
    leaving = {"a": {"metadata": {"name": "a", "deletionTimestamp": NOON.isoformat()}}}
    (found,) = states(project("p", namespaces=["a"]), [], leaving, ())
    assert found.state.value == "Terminating"


@pytest.mark.parametrize("name", ["mizzen-system", "kube-system"])
def test_no_project_gets_a_namespace_of_the_platform(name: str) -> None:
    wanted = project("p", namespaces=["a"]).model_copy(deep=True)
    wanted = wanted.model_copy(update={"spec": wanted.spec.model_copy(update={"namespaces": [name]})})
    assert _states(wanted, live=(name,), reserved={"mizzen-system"})[name] == ("Reserved", "")


@given(st.permutations(range(5)), st.lists(st.integers(0, 2), min_size=5, max_size=5))
def test_every_namespace_has_one_owner_whatever_the_order(order: list[int], ages: list[int]) -> None:
    made = [project(f"p{n}", minutes=age, namespaces=["a", f"n{n}"]) for n, age in enumerate(ages)]
    held = owners([made[n] for n in order])
    oldest = min(made, key=lambda one: (one.metadata.creation_timestamp or NOON + timedelta(1), one.metadata.uid))
    assert held["a"].metadata.name == oldest.metadata.name
    bound = [one.metadata.name for one in made if _states(one, *made)["a"][0] == "Bound"]
    assert bound == [oldest.metadata.name]
