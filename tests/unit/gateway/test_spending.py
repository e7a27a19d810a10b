"""What of a stream goes on to its caller while a soft budget is asked for more."""

import asyncio
from typing import Any

import orjson
import pytest
from mizzen_gateway.protocols.event_ends import count_of_events, end_of_events
from mizzen_gateway.protocols.openai.answer import StreamAnswer
from mizzen_gateway.protocols.openai.tail import CHUNKS, EVENTS, Shape
from mizzen_gateway.spending import SpendingSink, SpentError, sink_of
from mizzen_gateway.stages import Refusal
from support.scripted_engine import chunk

SPENT = Refusal(429, "budget_exceeded", "Budget small is used up.")
EVENT = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'
DONE = b"data: [DONE]\n\n"
EVENTS_HEAD = {b"content-type": b"text/event-stream"}


class Caller:
    """A responder that keeps what it gets."""

    def __init__(self) -> None:
        self.got = b""
        self.started = self.done = False

    def start(self, *_: object) -> None:
        self.started = True

    def write(self, data: bytes) -> None:
        self.got += data

    @property
    def tokens(self) -> int:
        return self.got.count(EVENT)


class Budget:
    """An `Allowance` that says what a test says, when it says it."""

    def __init__(self, until: int, held: int) -> None:
        self.until, self.held = until, held
        self.until_ms = float("inf")
        self.asking: asyncio.Future[None] | None = None
        self.later = True
        self.refusal: Refusal | None = None

    def reached(self, output_tokens: int, accelerator_ms: int) -> Refusal | None:
        assert output_tokens >= self.until or accelerator_ms >= self.until_ms
        if self.refusal is None and self.later:
            self.asking = asyncio.get_running_loop().create_future()
        elif self.refusal is None:
            self.until, self.held = self.until + 10, self.held + 10
        return self.refusal

    def says(self, more: int) -> None:
        """More, or that nothing is left."""
        assert self.asking is not None
        asking, self.asking = self.asking, None
        if more:
            self.until, self.held = self.until + more, self.held + more
        else:
            self.until, self.refusal = self.held, SPENT
        asking.set_result(None)


@pytest.fixture
def caller() -> Caller:
    return Caller()


def sink_for(caller: Any, budget: Budget, shape: Shape = CHUNKS) -> SpendingSink:
    sink = sink_of(StreamAnswer(caller, (), "chat", "chat", 40, False, shape), budget, lambda: clock[0])
    assert isinstance(sink, SpendingSink)
    sink.fail = lambda error: failures.append(error)
    failures.clear()
    sink.on_head(200, EVENTS_HEAD)
    return sink


failures: list[Exception] = []
clock = [0]
"""Milliseconds of accelerators that were used."""


async def test_what_is_beyond_what_is_reserved_waits_for_the_answer_and_then_goes_on(caller):
    budget = Budget(until=6, held=8)
    sink = sink_for(caller, budget)
    sink.on_body(EVENT * 5)
    assert caller.tokens == 5
    sink.on_body(EVENT * 20)
    assert caller.tokens == 8
    sink.on_body(EVENT * 3)
    assert caller.tokens == 8
    budget.says(100)
    await sink.rest()
    assert caller.tokens == 28
    assert not failures


async def test_an_end_that_waits_is_known_to_be_one(caller):
    budget = Budget(until=1, held=1)
    sink = sink_for(caller, budget)
    sink.on_body(EVENT * 20)
    assert not sink.told_its_end()
    sink.on_body(DONE)
    assert not caller.got.endswith(DONE)
    assert sink.told_its_end()
    budget.says(100)
    await sink.rest()
    assert caller.got.endswith(DONE)
    assert sink.told_its_end()


@pytest.mark.parametrize(("kind", "is_its_end"), [("completed", True), ("in_progress", False), ("failed", False)])
async def test_of_responses_the_end_that_waits_is_the_event_with_the_usage(caller, kind, is_its_end):
    used = {"input_tokens": 1, "output_tokens": 1} if kind != "in_progress" else None
    event = orjson.dumps({"type": f"response.{kind}", "response": {"usage": used}})
    sink = sink_for(caller, Budget(until=1, held=1), EVENTS)
    sink.on_body(EVENT * 20)
    sink.on_body(b"data: " + event + b"\n\n")
    assert sink.told_its_end() == is_its_end


async def test_a_stream_that_gets_no_more_uses_up_what_it_holds_and_fails_with_the_reason(caller):
    budget = Budget(until=6, held=8)
    sink = sink_for(caller, budget)
    sink.on_body(EVENT * 7)
    budget.says(0)
    with pytest.raises(SpentError):
        sink.on_body(EVENT * 20)
    assert caller.tokens == 8


async def test_one_that_waits_hears_that_there_is_no_more_without_another_byte_of_the_engine(caller):
    budget = Budget(until=6, held=8)
    sink = sink_for(caller, budget)
    sink.on_body(EVENT * 20 + DONE)
    ended = asyncio.create_task(sink.rest())
    await asyncio.sleep(0)
    budget.says(0)
    with pytest.raises(SpentError) as spent:
        await ended
    assert spent.value.refusal is SPENT
    assert [type(one) for one in failures] == [SpentError]
    assert caller.tokens == 8


async def test_many_events_that_come_at_once_are_cut_where_the_budget_ends(caller):
    budget = Budget(until=6, held=6)
    budget.later = False
    sink = sink_for(caller, budget)
    sink.on_body(EVENT * 30)
    assert caller.tokens == 30
    budget.refusal = SPENT
    with pytest.raises(SpentError):
        sink.on_body(EVENT * 30)
    assert caller.tokens == budget.held == 36


async def test_an_answer_is_not_cut_for_its_last_few_events(caller):
    budget = Budget(until=6, held=6)
    budget.later, budget.refusal = False, SPENT
    sink = sink_for(caller, budget)
    sink.on_body(EVENT * 9 + DONE)
    assert caller.got.endswith(DONE)
    assert caller.tokens == 9


async def test_nothing_goes_to_a_caller_who_has_left(caller):
    budget = Budget(until=6, held=8)
    sink = sink_for(caller, budget)
    sink.on_body(EVENT * 20)
    sink.closed = True
    budget.says(100)
    await asyncio.sleep(0)
    assert caller.tokens == 8


async def test_usage_that_is_told_with_each_part_counts_rather_than_the_parts(caller):
    budget = Budget(until=50, held=50)
    budget.refusal = SPENT
    sink = sink_for(caller, budget)
    told = chunk("chat", "x") | {"usage": {"prompt_tokens": 5, "completion_tokens": 60}}
    sink.on_body(b"data: " + orjson.dumps(told) + b"\n\n")
    with pytest.raises(SpentError):
        sink.on_body(EVENT)


async def test_a_stream_ends_by_the_time_of_accelerators_however_few_tokens_it_has(caller):
    budget = Budget(until=100, held=100)
    budget.until_ms, budget.refusal = 500.0, SPENT
    sink = sink_for(caller, budget)
    clock[0] = 499
    sink.on_body(EVENT)
    clock[0] = 500
    with pytest.raises(SpentError):
        sink.on_body(EVENT)
    assert caller.tokens == 1


async def test_an_engine_whose_lines_end_with_cr_lf_is_held_to_the_budget_too(caller):
    budget = Budget(until=6, held=8)
    sink = sink_for(caller, budget)
    sink.on_body((EVENT * 20).replace(b"\n", b"\r\n"))
    assert caller.got.count(b"\r\n\r\n") == 8
    budget.says(0)
    with pytest.raises(SpentError):
        await sink.rest()


def test_events_are_counted_off_to_their_ends():
    assert end_of_events(b"a\n\nb\n\nc", 1) == 3
    assert end_of_events(b"a\n\nb\n\nc", 2) == 7
    assert end_of_events(b"a\n\nb", 5) == 4
    assert end_of_events(b"a\r\n\r\nb\r\n\r\nc", 1) == 5
    assert count_of_events(b"a\r\n\r\nb\r\n\r\nc") == 2
