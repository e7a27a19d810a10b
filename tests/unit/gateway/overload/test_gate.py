"""Who is let in, who waits, who is refused: and that every place comes back, whatever becomes of who had it."""

import asyncio
from random import Random

import pytest
from mizzen_gateway.overload.gate import LEAST_ROOM, NO_LIMIT, Gate
from mizzen_gateway.overload.place import Place
from mizzen_gateway.overload.priority import BATCH, INTERACTIVE, STANDARD
from mizzen_gateway.overload.refused import REFUSALS_TO_KNOW
from mizzen_gateway.overload.rules import OverloadRules
from mizzen_gateway.stages import Refusal, Usage
from support.until import until


class Replica:
    """An endpoint."""

    ejected_until = 0.0
    others = 0.0
    shared_until = 0.0


def gate(places: int = 0, replicas: int = 1, **rules: float) -> Gate:
    """One with so many places a replica; 0: measured."""
    made = Gate(OverloadRules(replica_requests=places, **rules))  # type: ignore[arg-type]  # of the fields
    made.serve([Replica() for _ in range(replicas)])
    return made


def filled(made: Gate) -> Gate:
    while made.enters():
        pass
    return made


class Callers:
    """Requests that wait at a gate; those that have a place keep it until they are told to leave."""

    def __init__(self, of: Gate) -> None:
        self.gate = of
        self.order: list[str] = []
        self.refused: dict[str, Refusal] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._leave: dict[str, asyncio.Event] = {}

    async def come(self, name: str, project: str = "p", priority: int = STANDARD, tokens: int = 10) -> None:
        """One more, which has got as far as it gets when this returns."""
        self._leave[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._ask(name, project, priority, tokens))
        await asyncio.sleep(0)

    async def go(self, name: str) -> None:
        self._leave[name].set()
        await self.tasks[name]

    async def _ask(self, name: str, project: str, priority: int, tokens: int) -> None:
        waiter = None
        if not self.gate.enters():
            answer = await self.gate.wait("m", project, priority, tokens)
            if isinstance(answer, Refusal):
                self.refused[name] = answer
                return
            if answer is None:
                self.order.append(f"{name} looks elsewhere")
                return
            waiter = answer
        self.order.append(name)
        try:
            await self._leave[name].wait()
        finally:
            if waiter is not None:
                self.gate.queue.settle(waiter, waiter.tokens, 0)
            self.gate.leave()


async def test_without_a_capacity_that_is_known_nobody_waits() -> None:
    made = gate()
    for _ in range(10_000):
        assert made.enters()
    assert (made.limit, made.waiting, made.in_flight) == (NO_LIMIT, 0, 10_000)


async def test_a_place_that_is_left_goes_to_who_is_next() -> None:
    callers = Callers(gate(2))
    for name in "abcd":
        await callers.come(name)
    assert (callers.order, callers.gate.waiting) == (["a", "b"], 2)
    await callers.go("b")
    await until(lambda: callers.order == ["a", "b", "c"])
    assert callers.gate.in_flight == 2
    for name in "acd":
        await callers.go(name)
    assert (callers.gate.in_flight, callers.gate.waiting) == (0, 0)


async def test_nobody_who_comes_passes_those_who_wait() -> None:
    callers = Callers(gate(1))
    await callers.come("a")
    await callers.come("b")
    callers.gate.limit = 2  # room that nobody has been told of yet
    assert not callers.gate.enters()


async def test_a_small_project_is_next_although_a_large_one_has_filled_the_queue() -> None:
    callers = Callers(gate(1, queue_seconds=200.0))
    await callers.come("first", "big")
    for number in range(80):
        await callers.come(f"big{number}", "big")
    await callers.come("small", "small")
    for name in ("first", "big0"):
        await callers.go(name)
    await until(lambda: callers.order[-1] == "small")
    assert callers.order == ["first", "big0", "small"]
    for task in callers.tasks.values():
        task.cancel()
    await asyncio.gather(*callers.tasks.values(), return_exceptions=True)
    assert (callers.gate.in_flight, callers.gate.waiting) == (0, 0)


async def test_batch_is_refused_first_then_standard_and_interactive_last() -> None:
    callers = Callers(gate(10, queue_seconds=10.0))
    filled(callers.gate)
    for priority in (BATCH, STANDARD, INTERACTIVE):
        for number in range(1000):
            name = f"{priority}-{number}"
            await callers.come(name, priority=priority)
            if name in callers.refused:
                break
    assert callers.gate.queue.waiting == [100, 50, 20]
    assert callers.gate.shed == {(BATCH, "full"): 1, (STANDARD, "full"): 1, (INTERACTIVE, "full"): 1}
    for name, refusal in callers.refused.items():
        assert refusal.status == 503, name
        assert dict(refusal.headers)["retry-after"].isdigit()
    assert "Batch requests are refused first" in callers.refused["2-20"].message
    await end(callers, 10)


async def test_a_full_queue_still_takes_the_requests_of_a_project_with_few_of_them() -> None:
    callers = Callers(gate(4, queue_seconds=5.0))
    filled(callers.gate)
    for number in range(10):
        await callers.come(f"big{number}", "big")
    await callers.come("one-more", "big")
    assert callers.refused["one-more"].code == "overloaded"
    for number in range(6):
        await callers.come(f"small{number}", "small")
    assert set(callers.refused) == {"one-more", "small5"}
    refusal = callers.refused["small5"]
    assert (refusal.status, refusal.code) == (429, "fair_share_exceeded")
    assert "'small'" in refusal.message
    await callers.come("again", "big")
    assert callers.refused["again"].code == "fair_share_exceeded"
    await end(callers, 4)


async def test_who_would_have_to_wait_behind_a_queue_of_higher_priority_is_refused_at_once() -> None:
    callers = Callers(gate(4, queue_seconds=5.0))
    filled(callers.gate)
    for number in range(12):
        await callers.come(f"i{number}", priority=INTERACTIVE)
    await callers.come("late", "nobody-else", priority=BATCH)
    assert callers.refused["late"].status == 503
    await end(callers, 4)


async def test_however_slow_the_model_some_may_wait() -> None:
    made = gate(1, queue_seconds=1.0)
    made.seconds_each = 300.0
    callers = Callers(filled(made))
    for number in range(LEAST_ROOM + 1):
        await callers.come(f"i{number}", priority=INTERACTIVE)
    assert list(callers.refused) == [f"i{LEAST_ROOM}"]
    assert dict(callers.refused[f"i{LEAST_ROOM}"].headers)["retry-after"] == "60"
    await end(callers, 1)


async def test_nobody_waits_for_ever() -> None:
    callers = Callers(gate(1, queue_seconds=0.005))
    filled(callers.gate)
    await callers.come("a")
    await until(lambda: "a" in callers.refused)
    assert callers.refused["a"].status == 503
    assert "within 0.02 s" in callers.refused["a"].message
    assert callers.gate.shed == {(STANDARD, "late"): 1}
    assert (callers.gate.waiting, callers.gate.queue.waiting) == (0, [0, 0, 0])


async def test_who_leaves_in_the_moment_of_its_turn_gives_the_place_on() -> None:
    callers = Callers(filled(gate(1)))
    for name in "bc":
        await callers.come(name)
    callers.gate.leave()
    callers.tasks["b"].cancel()  # its turn has come, and it does not know yet
    await until(lambda: callers.order)
    assert callers.order == ["c"]
    assert callers.gate.in_flight == 1
    await callers.go("c")
    assert callers.gate.in_flight == 0


async def test_those_who_wait_look_elsewhere_when_the_replicas_are_gone() -> None:
    callers = Callers(gate(1))
    for name in "abc":
        await callers.come(name)
    callers.gate.serve(())
    await until(lambda: len(callers.order) == 3)
    assert callers.order == ["a", "b looks elsewhere", "c looks elsewhere"]
    await callers.go("a")
    assert (callers.gate.in_flight, callers.gate.waiting) == (0, 0)


async def test_a_replica_more_or_less_is_room_more_or_less() -> None:
    made = gate(10, replicas=1)
    assert made.limit == 10
    replicas = [Replica(), Replica(), Replica()]
    made.serve(replicas)
    assert made.limit == 30
    replicas[0].ejected_until = asyncio.get_running_loop().time() + 100
    made.refit(asyncio.get_running_loop().time())
    assert made.limit == 20
    replicas[0].ejected_until = 0.0
    made.refit(asyncio.get_running_loop().time())
    assert made.limit == 30


async def test_gateways_divide_a_replica_by_how_much_they_are_asked() -> None:
    made = gate(30)
    replica = Replica()
    replica.others = 20.0
    made.serve([replica])
    assert made.limit == 1
    for _ in range(5):
        made.in_flight += 19
        made.refit(0.0)
        assert made.limit == round(30 * (made.in_flight + 1) / (made.in_flight + 21))


async def test_capacity_is_learnt_from_requests_that_ended() -> None:
    made = gate()
    for load in range(1, 200):
        for _ in range(40):
            made.ended(load, made.epoch, max(1.0, load / 20), 1.0, 0.0)
        if made.limit < NO_LIMIT:
            break
    assert 18 <= made.limit <= 24
    assert made.epoch == 1


def answered(made: Gate, at_once: int) -> None:
    """So many requests at once, all of them well."""
    places = []
    for _ in range(at_once):
        assert made.enters(), "nobody has to wait"
        places.append(Place(made))
    for place in places:
        place.answered(Usage(10, 10), 1.0, 0.0)
        place.leave(Usage())


def refused(made: Gate, at_once: int, *projects: str, shared: bool = True) -> None:
    """A request of each, one after the other, while so many are under way with it: the engine refuses all its tries."""
    for one in made.replicas:
        one.shared_until = 1.0 if shared else 0.0
    for _ in range(at_once - 1):
        assert made.enters(), "nobody has to wait"
    for project in projects:
        if made.enters():
            place = Place(made)
            for _ in range(3):
                place.refused(project, 0.0)
            place.leave(Usage())
    for _ in range(at_once - 1):
        made.leave()


@pytest.mark.parametrize("at_once", [1, 4, 60])
async def test_what_an_engine_refuses_to_one_project_takes_no_place_from_the_others(at_once: int) -> None:
    made = gate()
    answered(made, 16)
    for _ in range(20):
        refused(made, at_once, *["small"] * 20)
        answered(made, 16)
    assert (made.limit, made.epoch) == (NO_LIMIT, 0)


async def test_a_refusal_while_little_is_under_way_takes_no_place_from_anybody() -> None:
    made = gate()
    answered(made, 16)
    for at_once in (1, 3, 16) * 20:
        refused(made, at_once, "a", "b", "c")
    assert (made.limit, made.epoch) == (NO_LIMIT, 0)


async def test_a_request_that_is_refused_at_each_of_its_tries_counts_once() -> None:
    made = gate()
    answered(made, 4)
    refused(made, 9, *["a"] * (REFUSALS_TO_KNOW - 1), shared=False)
    assert made.limit == NO_LIMIT
    refused(made, 9, "a", shared=False)
    assert made.limit == 8


async def test_an_engine_that_refuses_several_projects_gets_no_more_than_it_answers() -> None:
    made = gate(replicas=2)
    answered(made, 20)
    for _ in range(10):
        refused(made, min(made.limit, 40), *["a", "b"] * REFUSALS_TO_KNOW)
    assert made.limit == 20


async def test_how_many_are_answered_counts_for_each_replica() -> None:
    made = gate(replicas=4)
    answered(made, 40)
    made.serve(made.replicas[:2])
    for _ in range(10):
        refused(made, min(made.limit, 40), *["a", "b"] * REFUSALS_TO_KNOW)
    assert made.limit == 20


async def test_refusals_of_a_project_alone_hold_back_nobody_else() -> None:
    callers = Callers(gate(queue_seconds=100.0))
    made = callers.gate
    answered(made, 2)
    refused(made, 9, *["a"] * REFUSALS_TO_KNOW, shared=False)
    assert made.limit == 8
    for number in range(10):
        await callers.come(f"a{number}", "a")
    assert (made.in_flight, made.waiting) == (8, 2)
    for number in range(16):
        await callers.come(f"b{number}", "b")
    assert (made.limit, made.in_flight, made.waiting) == (NO_LIMIT, 26, 0)
    await end(callers)


async def test_switched_off_it_lets_everybody_in() -> None:
    made = Gate(OverloadRules(on=False, replica_requests=1))
    made.serve([Replica()])
    for load in range(1, 2000):
        assert made.enters()
        made.ended(load, made.epoch, float(load), 1.0, 0.0)
    assert made.limit == NO_LIMIT


@pytest.mark.parametrize("seed", range(5))
async def test_every_place_comes_back_whatever_happens(seed: int) -> None:
    chance = Random(seed)
    print("seed", seed)
    made = gate(3, replicas=2, queue_seconds=20.0)
    callers, under_way = Callers(made), list[str]()
    for number in range(600):
        act = chance.random()
        if act < 0.55 or not under_way:
            name = f"r{number}"
            under_way.append(name)
            await callers.come(name, f"p{chance.randrange(6)}", chance.randrange(3), chance.randrange(1, 500))
        elif act < 0.75:
            callers.tasks[under_way.pop(chance.randrange(len(under_way)))].cancel()
        elif act < 0.97:
            callers._leave[under_way.pop(chance.randrange(len(under_way)))].set()
        else:
            made.serve([Replica() for _ in range(chance.randrange(3))])
        assert made.waiting >= 0
        assert made.in_flight >= 0
        if chance.random() < 0.5:
            await asyncio.sleep(0)
    made.serve([Replica(), Replica()])
    await end(callers)
    assert made.queue.projects == [0, 0, 0]
    assert filled(made).in_flight == 6


async def end(callers: Callers, held: int = 0) -> None:
    """All leave; nothing is left of them but `held` places that the test took itself."""
    for task in callers.tasks.values():
        task.cancel()
    await asyncio.gather(*callers.tasks.values(), return_exceptions=True)
    assert (callers.gate.waiting, callers.gate.queue.waiting) == (0, [0, 0, 0])
    assert callers.gate.in_flight == held
