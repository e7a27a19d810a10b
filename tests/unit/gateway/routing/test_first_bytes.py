"""When do answers begin, as far as is known?"""

from mizzen_gateway.routing.first_bytes import ENOUGH, KEPT, FirstBytes


def test_nothing_is_told_of_few_answers() -> None:
    seen = FirstBytes()
    for _ in range(ENOUGH - 1):
        seen.note(1.0)
    assert seen.p95 is None
    seen.note(1.0)
    assert seen.p95 == 1.0


def test_of_the_last_hundred_ninety_five_were_no_later() -> None:
    seen = FirstBytes()
    for _ in range(KEPT):
        seen.note(1000.0)
    for number in range(1, KEPT + 1):
        seen.note(float(number))
    assert seen.p95 == 95.0
