"""However many limits and budgets there are, /metrics has so many series of them and no more."""

from mizzen_gateway.telemetry.exposition import MOST_NAMES, few


def test_names_beyond_the_bound_are_added_up_and_the_first_keep_theirs() -> None:
    told = [(("limit", f"name {number % 600}", "enforce"), 1, 1) for number in range(1800)]
    found = few(told)
    assert len(found) == MOST_NAMES + 1
    assert found["limit", "name 0", "enforce"] == 3
    assert found["limit", "other", "enforce"] == 300
    assert sum(found.values()) == 1800


def test_few_names_stay_as_they_are() -> None:
    assert few([(("a", "money"), 0, 1), (("a", "tokens"), 0, 2), (("b", "money"), 0, 3)]) == {
        ("a", "money"): 1,
        ("a", "tokens"): 2,
        ("b", "money"): 3,
    }
