"""What engines refuse: when does it say how many they can answer, and when something about the request alone?"""

from random import Random

import pytest
from mizzen_gateway.overload.refused import RECENT_SECONDS, REFUSALS_TO_KNOW, Refused, TooMany


def knowing(well: int) -> Refused:
    """So many at once were answered well."""
    made = Refused()
    answered(made, well)
    return made


def answered(made: Refused, load: int, now: float = 0.0) -> None:
    """As a place tells it."""
    if load > made.over:
        made.answered(load, now)


def refused(made: Refused, load: int, *projects: str, now: float = 0.0, shared: bool = True) -> TooMany | None:
    """What is known after the last of them."""
    found = None
    for project in projects:
        found = made.too_many(load, project, now, shared=shared) or found
    return found


ENOUGH = ["a", "b"] * (REFUSALS_TO_KNOW // 2)


@pytest.mark.parametrize("load", [1, 4, 16])
def test_refusals_where_as_many_were_answered_well_say_nothing(load: int) -> None:
    assert refused(knowing(16), load, *ENOUGH * 100) is None


def test_refusals_beyond_what_was_answered_well_say_how_many_are_too_many() -> None:
    made = knowing(16)
    assert refused(made, 40, *ENOUGH[1:]) is None, "fewer may be chance"
    assert refused(made, 40, "b") == TooMany(40.0, 16.0, "")
    assert refused(made, 40, *ENOUGH[1:]) is None, "it begins anew"


def test_refusals_of_one_project_among_several_say_nothing() -> None:
    made = knowing(16)
    assert refused(made, 40, *["a"] * 100) is None
    assert refused(made, 40, *["b"] * REFUSALS_TO_KNOW) is not None


def test_refusals_of_a_project_that_is_alone_say_whose_they_are() -> None:
    assert refused(knowing(16), 40, *["a"] * REFUSALS_TO_KNOW, shared=False) == TooMany(40.0, 16.0, "a")


def test_an_engine_that_answers_nobody_would_not_with_fewer_at_once() -> None:
    assert refused(Refused(), 1, *ENOUGH * 10) is None
    assert refused(Refused(), 40, *ENOUGH * 10) is None


def test_those_who_are_refused_at_any_load_do_not_speak_for_a_load() -> None:
    made = knowing(16)
    for load in (2, 4, 6, 8, 10, 12, 14, 17) * 10:
        assert refused(made, load, "a", "b") is None


def test_what_was_answered_well_lately_holds_and_an_engine_that_became_smaller_is_found() -> None:
    made = knowing(64)
    for load in (20, 20, 20):
        answered(made, 16)
        assert refused(made, load, *ENOUGH) is None
    for _ in range(20):
        answered(made, 16, now=RECENT_SECONDS / 2)
    assert refused(made, 20, *ENOUGH, now=RECENT_SECONDS) == TooMany(20.0, 16.0, "")


def test_a_calm_time_is_learnt_from_again() -> None:
    made = knowing(8)
    refused(made, 4, "a")
    answered(made, 6, now=RECENT_SECONDS + 1)
    answered(made, 32, now=RECENT_SECONDS + 1)
    assert made.over == 32.0, "and who has less costs nothing more"
    assert refused(made, 24, *ENOUGH, now=RECENT_SECONDS + 1) is None


def test_who_comes_while_others_leave_is_no_proof_that_so_many_can_be_answered() -> None:
    seed = 20261123
    print("seed", seed)
    chance = Random(seed)
    made, found = Refused(), list[TooMany]()
    for number in range(2000):
        now = number / 20
        load = chance.randrange(60, 90)
        if chance.random() < 0.1:
            answered(made, load, now)
        else:
            told = refused(made, load, chance.choice("ab"), now=now)
            found += [] if told is None else [told]
        answered(made, chance.randrange(20, 33), now)
    assert len(found) > 50
    assert all(60 <= one.load <= 90 for one in found)
    assert sum(one.well <= 33 for one in found) > len(found) / 2


def test_what_was_answered_well_is_so_many_for_each_replica() -> None:
    made = knowing(32)
    made.scale(0.5)
    assert refused(made, 20, *ENOUGH) == TooMany(20.0, 16.0, "")
    made.scale(2.0)
    assert refused(made, 30, *ENOUGH) is None
