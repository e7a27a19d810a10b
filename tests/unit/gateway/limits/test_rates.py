"""Rate limits through the quota: all or none, exactly the limit, and a refusal that says which."""

import asyncio
import random

import pytest
from mizzen_gateway.stages import Estimate, Refusal, Usage
from support.access_snapshots import Enforcement, LimitMetric, Scope, a_limit, a_snapshot
from support.quota_bench import CALLER, QuotaBench, headers_of

ONE = Estimate(0, 0, 0)


async def test_of_two_thousand_at_once_a_limit_of_a_hundred_admits_exactly_a_hundred():
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    bench = QuotaBench(a_snapshot(limits=[a_limit(100)]))

    async def one() -> bool:
        await asyncio.sleep(chance.random() * 0.02)
        return not isinstance(await bench.reserve(ONE), Refusal)

    assert sum(await asyncio.gather(*(one() for _ in range(2000)))) == 100


async def test_a_request_that_one_limit_refuses_takes_from_no_other():
    tokens = a_limit(1000, LimitMetric.TOKENS, id="lim_t", name="tokens")
    bench = QuotaBench(a_snapshot(limits=[a_limit(10), tokens]))
    assert isinstance(await bench.reserve(Estimate(1001, 1, 0)), Refusal)
    for _ in range(10):
        assert not isinstance(await bench.reserve(Estimate(100, 0, 0)), Refusal)


async def test_a_refusal_names_the_limit_its_scope_its_value_and_when_to_retry():
    bench = QuotaBench(a_snapshot(limits=[a_limit(2, name="gold", scope=Scope.KEY, scope_id=CALLER.key_id)]))
    await bench.reserve(ONE)
    await bench.reserve(ONE)
    refusal = await bench.reserve(ONE)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.code) == (429, "rate_limit_exceeded")
    for part in ("gold", "2 requests per 60 s", "the key", "try again in 30 s"):
        assert part in refusal.message
    headers = headers_of(refusal)
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("30", "30000")
    assert headers["x-ratelimit-limit-requests"] == "2"
    assert headers["x-ratelimit-remaining-requests"] == "0"
    assert headers["x-ratelimit-reset-requests"] == "60.000s"
    bench.pass_seconds(30)
    assert not isinstance(await bench.reserve(ONE), Refusal)


async def test_a_request_that_can_never_fit_is_told_so_and_not_to_retry():
    bench = QuotaBench(a_snapshot(limits=[a_limit(100, LimitMetric.TOKENS)]))
    refusal = await bench.reserve(Estimate(50, 2, 40))
    assert isinstance(refusal, Refusal)
    assert "up to 130 tokens" in refusal.message
    assert "max_tokens" in refusal.message
    assert headers_of(refusal)["x-should-retry"] == "false"
    assert "retry-after" not in headers_of(refusal)


async def test_tokens_not_used_are_returned_and_overage_is_taken():
    bench = QuotaBench(a_snapshot(limits=[a_limit(1000, LimitMetric.TOKENS)]))
    reservation = await bench.admitted(Estimate(100, 1, 800))
    assert bench.remaining("tokens") == 100
    reservation.settle(Usage(100, 50))
    assert bench.remaining("tokens") == 850
    (await bench.admitted(Estimate(10, 0, 0))).settle(Usage(60, 0))
    assert bench.remaining("tokens") == 790


async def test_a_request_that_failed_before_its_first_byte_costs_nothing():
    bench = QuotaBench(a_snapshot(limits=[a_limit(1), a_limit(100, LimitMetric.TOKENS, id="lim_t")]))
    (await bench.admitted(Estimate(100, 0, 0))).settle(Usage(billable=False))
    assert (bench.remaining("requests"), bench.remaining("tokens")) == (1, 100)


async def test_a_reservation_is_settled_once():
    reservation = await QuotaBench(a_snapshot(limits=[a_limit(1)])).admitted(ONE)
    reservation.settle(Usage())
    with pytest.raises(RuntimeError):
        reservation.settle(Usage())


async def test_a_shadow_limit_counts_and_refuses_nobody():
    bench = QuotaBench(a_snapshot(limits=[a_limit(1, enforcement=Enforcement.SHADOW)]))
    for _ in range(3):
        assert not isinstance(await bench.reserve(ONE), Refusal)
    assert bench.quota.refused_by["limit", "per-minute", "shadow"] == 2


async def test_a_limit_of_another_model_key_or_project_does_not_count():
    others = [
        a_limit(1, id="lim_1", model="other"),
        a_limit(1, id="lim_2", scope=Scope.KEY, scope_id="key_other"),
        a_limit(1, id="lim_3", scope_id="prj_other"),
    ]
    bench = QuotaBench(a_snapshot(limits=others))
    for _ in range(3):
        assert not isinstance(await bench.reserve(ONE), Refusal)


async def test_the_count_survives_a_new_snapshot_and_a_new_amount():
    bench = QuotaBench(a_snapshot(limits=[a_limit(10)]))
    for _ in range(10):
        await bench.reserve(ONE)
    bench.swap(a_snapshot(2, limits=[a_limit(12)]))
    answers = [isinstance(await bench.reserve(ONE), Refusal) for _ in range(3)]
    assert answers == [False, False, True]


async def test_while_usage_cannot_be_recorded_nothing_is_admitted():
    bench = QuotaBench(a_snapshot())
    bench.gate.refusal = Refusal(503, "quota_unavailable", "disk full")
    assert await bench.reserve(ONE) == bench.gate.refusal
