"""The decision: nothing by itself, a denial over everything, and nobody gives what is denied to them below."""

from hypothesis import given
from hypothesis import strategies as st
from mizzen_controlplane.authorization.decision import (
    Bound,
    Effect,
    decide,
    held_at,
    held_throughout,
    reach_of,
)
from mizzen_controlplane.authorization.roles import BUILT_IN
from mizzen_controlplane.kit.permission import GRANTABLE, PROGRAMS_OWN, Permission
from mizzen_controlplane.kit.place import Place, Reach

ORGANIZATION, PROJECT, OTHER = Place(), Place("prj_1"), Place("prj_2")
MODEL, SECOND = Place("prj_1", "model/a"), Place("prj_1", "model/b")
PLACES = (ORGANIZATION, PROJECT, OTHER, MODEL, SECOND)
READ, WRITE = Permission.MODELS_READ, Permission.MODELS_WRITE


def bound(role: str, place: Place, effect: Effect = Effect.ALLOW) -> Bound:
    return Bound(f"rbd_{role}", "person:per_1", role, BUILT_IN[role].permissions, effect, place)


BINDINGS = st.lists(
    st.builds(bound, st.sampled_from(sorted(BUILT_IN)), st.sampled_from(PLACES), st.sampled_from(Effect)), max_size=5
)


def test_what_no_binding_allows_is_refused() -> None:
    assert not any(decide([], permission, place).allowed for permission in GRANTABLE for place in PLACES)


def test_a_binding_holds_where_it_is_and_below_and_nowhere_else() -> None:
    viewer = bound("viewer", PROJECT)
    assert [decide([viewer], READ, place).allowed for place in PLACES] == [False, True, False, True, True]
    assert decide([viewer], READ, MODEL).because == (viewer,)
    assert not decide([viewer], WRITE, PROJECT).allowed
    assert decide([bound("viewer", MODEL)], READ, MODEL).allowed
    assert not decide([bound("viewer", MODEL)], READ, SECOND).allowed


def test_a_denial_wins_over_all_that_allow_wherever_they_are() -> None:
    denial = bound("viewer", ORGANIZATION, Effect.DENY)
    decision = decide([bound("platform-admin", ORGANIZATION), denial, bound("viewer", MODEL)], READ, MODEL)
    assert (decision.allowed, decision.because) == (False, (denial,))
    below = [bound("org-admin", ORGANIZATION), bound("viewer", MODEL, Effect.DENY)]
    assert not decide(below, READ, MODEL).allowed
    assert decide(below, READ, SECOND).allowed


def test_what_is_denied_below_is_not_held_throughout() -> None:
    bindings = [bound("org-admin", ORGANIZATION), bound("viewer", MODEL, Effect.DENY)]
    assert READ in held_at(bindings, PROJECT)
    assert READ not in held_throughout(bindings, PROJECT)
    assert READ not in held_throughout(bindings, ORGANIZATION)
    assert READ in held_throughout(bindings, OTHER)
    assert WRITE in held_throughout(bindings, ORGANIZATION)


def test_reach_names_whole_projects() -> None:
    allowed, denied = bound("viewer", PROJECT), bound("viewer", PROJECT, Effect.DENY)
    assert reach_of([allowed], READ).projects == {"prj_1"}
    assert reach_of([allowed, denied], READ).projects == set()
    everywhere = reach_of([bound("viewer", ORGANIZATION), denied], READ)
    assert everywhere == Reach(everywhere=True, projects=frozenset({"prj_1"}))
    assert reach_of([bound("viewer", MODEL)], READ).projects == set()
    assert not reach_of([bound("viewer", ORGANIZATION), bound("viewer", ORGANIZATION, Effect.DENY)], READ).everywhere


@given(BINDINGS, st.sampled_from(PLACES))
def test_what_is_held_is_what_is_decided(bindings: list[Bound], place: Place) -> None:
    decided = {permission for permission in GRANTABLE if decide(bindings, permission, place).allowed}
    assert held_at(bindings, place) == decided
    assert held_throughout(bindings, place) <= decided


@given(BINDINGS, st.sampled_from(sorted(GRANTABLE)), st.sampled_from(["prj_1", "prj_2"]))
def test_reach_is_where_it_is_decided_so(bindings: list[Bound], permission: Permission, project: str) -> None:
    reach = reach_of(bindings, permission)
    assert (reach.everywhere != (project in reach.projects)) == decide(bindings, permission, Place(project)).allowed


def test_no_role_holds_what_only_programs_may() -> None:
    assert not any(role.permissions & PROGRAMS_OWN for role in BUILT_IN.values())
    assert all(any(one in role.permissions for role in BUILT_IN.values()) for one in GRANTABLE)
