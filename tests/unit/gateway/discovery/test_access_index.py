"""A snapshot, indexed: whom does a key speak for, and what was its project granted?"""

import pytest
from mizzen_crds.access import Grant, Priority, ProjectAccess, Scope
from mizzen_gateway.discovery.access_building import index_snapshot
from mizzen_gateway.overload.priority import NAMES
from support.access_snapshots import KEY_ID, a_key, a_limit, a_snapshot

PROJECTS = [ProjectAccess(id=f"prj_{name}", name=name, namespace=name) for name in ("a", "b")]
OTHER_KEY = "key_" + "b" * 20


def test_grants_belong_to_every_key_of_their_project_and_to_no_other() -> None:
    keys = [a_key(), a_key(OTHER_KEY, project_id="prj_b")]
    grants = [Grant(project_id="prj_a", model="b/one"), Grant(project_id="prj_a", model="b/two")]
    index = index_snapshot(a_snapshot(projects=PROJECTS, keys=keys, grants=grants))
    assert index.keys[KEY_ID].caller.grants == {"b/one", "b/two"}
    assert index.keys[OTHER_KEY].caller.grants == frozenset()


def test_a_key_of_a_project_that_is_not_listed_opens_nothing() -> None:
    index = index_snapshot(a_snapshot(keys=[a_key(project_id="prj_gone")]))
    assert index.keys == {}


@pytest.mark.parametrize("priority", list(Priority))
def test_a_key_has_its_priority_in_the_order_that_requests_are_compared_by(priority: Priority) -> None:
    index = index_snapshot(a_snapshot(keys=[a_key(priority=priority)]))
    assert NAMES[index.keys[KEY_ID].caller.priority] == priority
    assert NAMES[index_snapshot(a_snapshot(keys=[a_key()])).keys[KEY_ID].caller.priority] == "standard"


def test_limits_of_an_owner_stand_between_those_of_the_project_and_of_the_key() -> None:
    scopes = [("prj_a", Scope.PROJECT), ("prj_a/per_x", Scope.OWNER), (KEY_ID, Scope.KEY)]
    limits = [a_limit(1, id=f"lim_{scope}", scope=scope, scope_id=whose) for whose, scope in reversed(scopes)]
    of_owner = [one for one in limits if one.scope is Scope.OWNER]
    others = [one for one in limits if one.scope is not Scope.OWNER]
    index = index_snapshot(a_snapshot(keys=[a_key(owner="prj_a/per_x")], limits=others, owner_limits=of_owner))
    caller = index.keys[KEY_ID].caller
    found = [one.scope for one in index.limits.matching(caller, "m")]
    assert found == [Scope.PROJECT, Scope.OWNER, Scope.KEY]
