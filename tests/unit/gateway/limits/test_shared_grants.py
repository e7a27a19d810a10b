"""What applies to a key is worked out once for all that have the same; each limit still counts whom it says."""

import random
from dataclasses import replace

import pytest
from mizzen_crds.access import BudgetUnit, Hardness, LimitAccess
from mizzen_gateway.discovery.access_index import AccessIndex
from mizzen_gateway.limits import grants
from mizzen_gateway.limits.grants import Grant
from mizzen_gateway.stages import Caller, Estimate, Refusal
from support.access_snapshots import KEY_ID, Scope, a_budget, a_limit, a_price, a_snapshot
from support.quota_bench import CALLER, QuotaBench

ONE = Estimate(0, 0, 0)
OTHER = replace(CALLER, key_id="key_other")
OF_THE_KEY = a_limit(3, id="lim_key", scope=Scope.KEY, scope_id=KEY_ID)
OF_THE_PROJECT = a_limit(5)
OF_USERS = a_limit(1, id="lim_users", scope=Scope.USER)


def of(bench: QuotaBench, caller: Caller, model: str = "m", user: str = "") -> Grant:
    index = bench.state.index
    assert isinstance(index, AccessIndex)
    return bench.quota.grants.grant(index, caller, model, user)


async def admitted(bench: QuotaBench, caller: Caller, tries: int, user: str = "") -> int:
    answers = [await bench.reserve(ONE, caller=caller, end_user=user) for _ in range(tries)]
    return sum(not isinstance(one, Refusal) for one in answers)


def test_keys_without_limits_of_their_own_share_one_grant_whatever_they_are() -> None:
    bench = QuotaBench(a_snapshot(limits=[OF_THE_PROJECT, OF_THE_KEY], prices=[a_price()], budgets=[a_budget(9)]))
    many = {id(of(bench, replace(CALLER, key_id=f"key_{number}"))) for number in range(50)}
    assert len(many) == 1
    assert of(bench, CALLER) is not of(bench, OTHER)
    assert of(bench, OTHER, "n") is of(bench, OTHER)
    assert of(bench, CALLER).limits[0] is of(bench, OTHER).limits[0]
    assert of(bench, CALLER).tariff is of(bench, OTHER).tariff


def test_keys_of_other_projects_and_of_another_price_share_nothing() -> None:
    bench = QuotaBench(
        a_snapshot(limits=[OF_THE_PROJECT], prices=[a_price(), a_price(model="n", rate_card_id="rcv_n")])
    )
    elsewhere = replace(CALLER, key_id="key_b", project_id="prj_b", project="b")
    found = [of(bench, OTHER), of(bench, OTHER, "n"), of(bench, elsewhere)]
    assert len({id(one) for one in found}) == 3
    assert [len(one.limits) for one in found] == [1, 1, 0]
    assert [one.tariff.rate_card_id for one in found] == ["rcv_a", "rcv_n", "rcv_a"]


async def test_a_limit_of_one_key_does_not_count_the_others_and_that_of_the_project_counts_all() -> None:
    bench = QuotaBench(a_snapshot(limits=[OF_THE_PROJECT, OF_THE_KEY]))
    assert [await admitted(bench, CALLER, 9), await admitted(bench, OTHER, 9)] == [3, 2]


async def test_each_end_user_has_a_count_though_their_keys_share_all_else() -> None:
    bench = QuotaBench(a_snapshot(further_limits=[OF_USERS, replace_scope(OF_USERS)]))
    counts = [await admitted(bench, one, 3, user) for one in (CALLER, OTHER) for user in ("u", "v", "")]
    assert counts == [1, 1, 1, 0, 0, 0]


def replace_scope(limit: LimitAccess) -> LimitAccess:
    """The same for nobody of this project."""
    return limit.model_copy(update={"id": "lim_elsewhere", "scope_id": "prj_b"})


def test_what_soft_budgets_expect_of_a_key_is_not_shared() -> None:
    soft = a_budget(10**6, unit=BudgetUnit.TOKENS, hardness=Hardness.SOFT)
    bench = QuotaBench(a_snapshot(further_budgets=[soft]))
    first, second = of(bench, CALLER).soft, of(bench, OTHER).soft
    assert first is not None
    assert second is not None
    assert first.recent is not second.recent


async def test_counts_go_on_over_any_change_of_the_snapshot() -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    bench = QuotaBench(a_snapshot(limits=[OF_THE_PROJECT, OF_THE_KEY]))
    counts = {"key": 0, "all": 0}
    for version in range(2, 40):
        caller = chance.choice((CALLER, OTHER))
        counts["all"] += (took := await admitted(bench, caller, 1))
        counts["key"] += took if caller is CALLER else 0
        more = [a_limit(10**6, id=f"lim_{number}", scope_id=f"prj_{number}") for number in range(chance.randint(0, 3))]
        bench.swap(a_snapshot(version, limits=[OF_THE_PROJECT, OF_THE_KEY, *more]))
    assert counts["all"] == 5
    assert counts["key"] <= 3


async def test_a_limit_that_was_away_for_one_snapshot_begins_anew() -> None:
    bench = QuotaBench(a_snapshot(limits=[OF_THE_PROJECT]))
    assert await admitted(bench, CALLER, 9) == 5
    bench.swap(a_snapshot(2))
    assert await admitted(bench, CALLER, 9) == 9
    bench.swap(a_snapshot(3, limits=[OF_THE_PROJECT]))
    assert await admitted(bench, CALLER, 9) == 5


async def test_more_keys_and_users_than_are_remembered_are_counted_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("GRANTS_LIMIT", "PAIRS_LIMIT"):
        monkeypatch.setattr(grants, name, 3)
    own = [a_limit(1, id=f"lim_{number}", scope=Scope.KEY, scope_id=f"key_{number}") for number in range(10)]
    bench = QuotaBench(a_snapshot(limits=own, further_limits=[OF_USERS]))
    callers = [replace(CALLER, key_id=f"key_{number}") for number in range(10)]
    for expected in (1, 0):
        assert [await admitted(bench, one, 1, one.key_id) for one in callers] == [expected] * 10
