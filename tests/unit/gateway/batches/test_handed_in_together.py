"""Results of a batch are handed in many at once, but never more than the control plane takes in one body."""

from collections import deque

from mizzen_crds.kept_batches import LineResult
from mizzen_gateway.batches.batch_run import HANDED_IN_AT_ONCE, LETTERS_AT_ONCE, together


def results(*lengths: int) -> deque[LineResult]:
    return deque(LineResult(number=place, good=True, text="x" * length) for place, length in enumerate(lengths))


def test_short_results_go_by_the_hundred() -> None:
    waiting = results(*[10] * 500)
    assert len(together(waiting)) == HANDED_IN_AT_ONCE
    assert len(waiting) == 500 - HANDED_IN_AT_ONCE


def test_long_results_go_as_many_as_fit_and_one_at_least_in_their_order() -> None:
    third = LETTERS_AT_ONCE // 3
    waiting = results(3 * LETTERS_AT_ONCE, third, third, third, third)
    found = []
    while waiting:
        found.append([one.number for one in together(waiting)])
    assert found == [[0], [1, 2, 3], [4]]
