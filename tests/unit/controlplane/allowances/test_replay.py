"""A replay refuses what a gateway refuses of the same requests: request by request, and by the same limit."""

import heapq
import random
from typing import cast

import pytest
from mizzen_controlplane.allowances.replay import SECOND, Proposed, Recorded, level_of, replay
from mizzen_crds.access import Enforcement, LimitAccess, LimitMetric, Scope
from mizzen_gateway.limits.answers import OverLimit
from mizzen_gateway.limits.leases import CreditLeases
from mizzen_gateway.limits.process_store import ProcessHolding, ProcessStore
from mizzen_gateway.limits.rules import Amounts, limit_rule

START = 1_780_000_000 * SECOND
LIMITS = [
    Proposed("requests", LimitMetric.REQUESTS, 20, 10),
    Proposed("tokens", LimitMetric.TOKENS, 3000, 10),
    Proposed("shadow", LimitMetric.REQUESTS, 2, 10, enforced=False),
    Proposed("answers", LimitMetric.OUTPUT_TOKENS, 1500, 7),
    Proposed("money", LimitMetric.COST, 10**9, 30),
    Proposed("at-once", LimitMetric.CONCURRENCY, 4, 0),
]


def recorded(at_ns: int, seconds: float, tokens: int = 100, **where: str) -> Recorded:
    used = {
        LimitMetric.REQUESTS: 1, LimitMetric.TOKENS: tokens, LimitMetric.INPUT_TOKENS: tokens // 3,
        LimitMetric.OUTPUT_TOKENS: tokens - tokens // 3, LimitMetric.COST: tokens * 90_000, LimitMetric.CONCURRENCY: 1,
    }  # fmt: skip
    return Recorded(where.get("key", "k"), where.get("model", "m"), at_ns, at_ns + int(seconds * SECOND), used)


def by_the_gateway(trace: list[Recorded], limits: list[Proposed]) -> list[int]:
    """What the gateway's own store decides, on a clock that stands where the trace does."""
    now = [0]
    store = ProcessStore(cast(CreditLeases, None), clock_ns=lambda: now[0])
    rules = [limit_rule(_access(limit), limit.name, enforced=limit.enforced) for limit in limits]
    counts = store.counts(rules, (), "org_1")
    ends: list[tuple[int, int, ProcessHolding, Amounts]] = []
    decisions = []
    for number, one in enumerate(trace):
        while ends and ends[0][0] <= one.started_ns:
            now[0], _, holding, taken = heapq.heappop(ends)
            holding.settle(taken, (*taken[:5], 0))
        now[0] = one.started_ns
        amounts = tuple(one.used[metric] for metric in ORDER)
        answer = counts.take(amounts, one.started_ns / SECOND)
        if isinstance(answer, OverLimit):
            decisions.append(answer.place)
        else:
            assert isinstance(answer, ProcessHolding)
            decisions.append(-1)
            heapq.heappush(ends, (one.ended_ns, number, answer, amounts))
    return decisions


ORDER = (
    LimitMetric.REQUESTS, LimitMetric.TOKENS, LimitMetric.INPUT_TOKENS, LimitMetric.OUTPUT_TOKENS, LimitMetric.COST,
    LimitMetric.CONCURRENCY,
)  # fmt: skip
"""Of the gateway's amounts."""


def _access(limit: Proposed) -> LimitAccess:
    return LimitAccess(
        id=limit.name, name=limit.name, scope=Scope.PROJECT, scope_id="prj_1", metric=limit.metric,
        amount=limit.amount, window_seconds=limit.window_seconds,
        enforcement=Enforcement.ENFORCE if limit.enforced else Enforcement.SHADOW,
    )  # fmt: skip


@pytest.mark.parametrize("number", range(4))
def test_it_decides_as_a_gateway_does_on_the_same_trace(number: int) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed + number)
    at, trace = START, []
    for _ in range(1500):
        at += chance.choice((0, 1, SECOND // 50, SECOND // 3, SECOND))
        trace.append(recorded(at, chance.choice((0, 0.001, 0.4, 3, 20)), chance.randrange(600)))
    limits = chance.sample(LIMITS, chance.randrange(1, len(LIMITS) + 1))
    found = replay(trace, limits)
    assert found.decisions == by_the_gateway(trace, limits)
    assert found.requests == len(trace)
    enforced = sum(told.count for told, limit in zip(found.by_limit, limits, strict=True) if limit.enforced)
    assert enforced == found.refused == sum(place >= 0 for place in found.decisions)


def test_a_limit_counts_its_key_and_its_model_alone() -> None:
    trace = [recorded(START + at, 0.1, key=key, model=model) for at, (key, model) in enumerate(
        [("a", "m"), ("b", "m"), ("a", "n"), ("a", "m")]
    )]  # fmt: skip
    one_each = [Proposed("l", LimitMetric.REQUESTS, 1, 60, key_id="a", model="m")]
    assert replay(trace, one_each).decisions == [-1, -1, -1, 0]


def test_it_says_when() -> None:
    trace = [recorded(START + minute * 60 * SECOND, 0.1) for minute in (0, 0, 70, 70, 70)]
    [told] = replay(trace, [Proposed("l", LimitMetric.REQUESTS, 1, 60)]).by_limit
    assert (told.count, told.first_ns, told.last_ns) == (3, START, START + 70 * 60 * SECOND)
    assert sorted(told.by_hour.values()) == [1, 2]


def test_a_level_is_what_has_not_drained_yet() -> None:
    limit = Proposed("l", LimitMetric.TOKENS, 600, 60)
    assert level_of(limit, [recorded(START, 1, 300)], START + 11 * SECOND) == pytest.approx(200)
