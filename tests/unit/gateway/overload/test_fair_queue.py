"""Who is next: by priority, then by the tokens that a project was given, then by who came first."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest
from mizzen_gateway.overload.fair_queue import FairQueue, Turn, Waiter
from mizzen_gateway.overload.priority import BATCH, INTERACTIVE, STANDARD, priority_of
from mizzen_gateway.stages import Refusal


class Line:
    """A queue whose waiters have names."""

    def __init__(self) -> None:
        self.queue = FairQueue()
        self._loop = asyncio.new_event_loop()
        self._names: dict[int, str] = {}
        self._waiters: list[Waiter] = []

    def join(self, name: str, project: str, tokens: int = 10, priority: int = STANDARD) -> Waiter:
        waiter = self.queue.join(project, priority, tokens, self._loop.create_future())
        self._names[id(waiter)] = name
        self._waiters.append(waiter)  # so that no other gets its id
        return waiter

    def order(self, most: int = 1000) -> list[str]:
        found: list[str] = []
        while len(found) < most and (waiter := self.queue.pop()) is not None:
            found.append(self._names[id(waiter)])
        return found

    def close(self) -> None:
        self._loop.close()


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.close()


def test_of_one_project_who_came_first_is_next(line: Line) -> None:
    for name in "abc":
        line.join(name, "p")
    assert line.order() == ["a", "b", "c"]
    assert line.queue.waiting == [0, 0, 0]
    assert line.queue.projects == [0, 0, 0]


def test_a_higher_priority_goes_first_whoever_asks(line: Line) -> None:
    for name, priority in (("b1", BATCH), ("s1", STANDARD), ("i1", INTERACTIVE), ("b2", BATCH), ("i2", INTERACTIVE)):
        line.join(name, "p", priority=priority)
    line.join("i3", "q", priority=INTERACTIVE)
    assert line.order() == ["i1", "i3", "i2", "s1", "b1", "b2"]


def test_projects_take_turns_whatever_one_of_them_has_waiting(line: Line) -> None:
    for number in range(100):
        line.join(f"big{number}", "big")
    for number in range(3):
        line.join(f"small{number}", "small")
    assert line.order(6) == ["big0", "small0", "big1", "small1", "big2", "small2"]


def test_turns_are_counted_in_tokens_and_not_in_requests(line: Line) -> None:
    for _ in range(100):
        line.join("long", "writes-much", tokens=300)
        line.join("short", "writes-little", tokens=100)
    given = Counter(line.order(80))
    assert (given["short"], given["long"]) == (60, 20)


def test_what_was_really_used_is_what_counts(line: Line) -> None:
    for number in range(10):
        line.join(f"a{number}", "a", tokens=100)
        line.join(f"b{number}", "b", tokens=100)
    first, second = line.queue.pop(), line.queue.pop()
    assert first is not None
    assert second is not None
    line.queue.settle(first, 400, 350)
    line.queue.settle(second, 100, 50)
    assert line.order(4) == ["b1", "b2", "b3", "a1"]
    assert line.queue.share("a").output_tokens == 350


def test_a_project_that_comes_back_gets_nothing_for_the_time_it_was_away(line: Line) -> None:
    line.join("back, before", "back")
    for number in range(30):
        line.join(f"busy{number}", "busy")
    line.order(21)
    for number in range(5):
        line.join(f"back{number}", "back")
    assert Counter(name[:4] for name in line.order(6)) == {"busy": 3, "back": 3}


def test_who_leaves_is_passed_over(line: Line) -> None:
    a, b, c = (line.join(name, "p") for name in "abc")
    line.queue.leave(b)
    line.queue.leave(b)
    assert line.queue.waiting[STANDARD] == 2
    assert line.order() == ["a", "c"]
    line.queue.leave(a)
    line.queue.leave(c)
    assert line.queue.waiting[STANDARD] == 0


def test_what_a_refund_gives_back_is_not_held_against_the_project(line: Line) -> None:
    for number in range(3):
        line.join(f"a{number}", "a", tokens=1000)
        line.join(f"b{number}", "b", tokens=10)
    first = line.queue.pop()
    assert first is not None
    line.queue.refund(first)
    assert line.order(3) == ["b0", "a1", "b1"]


def test_nothing_is_kept_once_it_is_forgotten(line: Line) -> None:
    line.join("a", "p")
    line.order()
    line.queue.forget()
    assert not line.queue._shares
    assert not any(line.queue._heaps)
    assert line.queue.waits("p", STANDARD) == 0


@pytest.mark.parametrize(
    ("header", "of_the_key", "found"),
    [
        (None, STANDARD, STANDARD),
        (b"batch", STANDARD, BATCH),
        (b" Batch ", INTERACTIVE, BATCH),
        (b"interactive", STANDARD, STANDARD),
        (b"interactive", BATCH, BATCH),
        (b"interactive", INTERACTIVE, INTERACTIVE),
    ],
)
def test_a_header_only_lowers_the_priority_of_the_key(header: bytes | None, of_the_key: int, found: int) -> None:
    headers = {} if header is None else {b"x-mizzen-priority": header}
    assert priority_of(headers, of_the_key) == found


def test_a_word_that_is_no_priority_is_refused() -> None:
    refusal = priority_of({b"x-mizzen-priority": b"urgent"}, STANDARD)
    assert isinstance(refusal, Refusal)
    assert refusal.status == 400
    assert "interactive, standard, batch" in refusal.message


def test_turns_are_what_a_waiter_can_see() -> None:
    assert {turn.name for turn in Turn} == {"COME", "LOOK_ELSEWHERE", "TOO_LATE"}
