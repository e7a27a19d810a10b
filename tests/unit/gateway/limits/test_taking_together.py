"""Limits and budgets taken in one pass say and leave what they do when each is looked at by itself, in its turn."""

from hypothesis import given, settings
from hypothesis import strategies as st
from mizzen_crds.gcra import Bucket
from mizzen_gateway.limits.answers import Denial, OverLimit
from mizzen_gateway.limits.leases import CreditLeases
from mizzen_gateway.limits.process_store import ProcessStore
from mizzen_gateway.limits.rules import REQUESTS, budget_rule, limit_rule
from support.access_snapshots import LimitMetric, a_budget, a_limit

SECOND = 1_000_000_000
METRICS = (LimitMetric.REQUESTS, LimitMetric.TOKENS, LimitMetric.CONCURRENCY)
LIMITS = st.tuples(
    st.sampled_from(METRICS), st.integers(1, 60), st.sampled_from((1, 60, 3600)), st.booleans()
)  # metric, amount, window, whether it enforces
STEPS = st.tuples(st.integers(0, 4 * SECOND), st.integers(0, 30), st.integers(0, 20), st.integers(0, 30))


class OneByOne:
    """The reference: each limit by the formula of its own, all before any is taken from; then each budget's credit."""

    def __init__(self, rules, credit, store):
        self.rules, self.credit = rules, list(credit)
        self.buckets = [Bucket(rule.limit.amount, store._bucket(rule).window_ns) for rule in rules]

    def take(self, amounts, now_ns):
        """The place of the limit that refuses, `budget`, or those that would have refused."""
        over = [
            place
            for place, (rule, bucket) in enumerate(zip(self.rules, self.buckets, strict=True))
            if not bucket.fits(amounts[rule.kind], now_ns)
        ]
        strict = [place for place in over if self.rules[place].enforced]
        if strict:
            return strict[0]
        if any(credit < amounts[1] for credit in self.credit):
            return "budget"
        for rule, bucket in zip(self.rules, self.buckets, strict=True):
            if rule.kind == REQUESTS:
                bucket.take(amounts[rule.kind], now_ns)
            else:
                bucket.held += amounts[rule.kind]
        self.credit = [credit - amounts[1] for credit in self.credit]
        return over

    def settle(self, taken, used, now_ns):
        for rule, bucket in zip(self.rules, self.buckets, strict=True):
            if rule.kind != REQUESTS:
                bucket.spend(taken[rule.kind], used[rule.kind], now_ns)
        self.credit = [credit + taken[1] - used[1] for credit in self.credit]


def amounts_of(tokens: int, at_once: int) -> tuple[int, ...]:
    return (1, tokens, tokens, 0, tokens, at_once)


@settings(max_examples=60, deadline=None)
@given(
    limits=st.lists(LIMITS, max_size=5),
    credit=st.lists(st.integers(0, 200), max_size=2),
    steps=st.lists(STEPS, max_size=25),
)
def test_one_pass_admits_refuses_and_leaves_the_same_as_one_after_the_other(limits, credit, steps):
    now = [SECOND]
    leases = CreditLeases(None, lambda: 0.0)
    store = ProcessStore(leases, clock_ns=lambda: now[0], clock=lambda: 0.0)
    rules = [
        limit_rule(a_limit(amount, metric, window_seconds=window), f"lim_{place}", enforced=enforced)
        for place, (metric, amount, window, enforced) in enumerate(limits)
    ]
    budgets = [budget_rule(a_budget(1000, id=f"bud_{place}", unit="tokens")) for place in range(len(credit))]
    counts = store.counts(rules, budgets, "org_a")
    accounts = [leases.account(rule.budget.id) for rule in budgets]
    for account, amount in zip(accounts, credit, strict=True):
        # All that the ledger had: asked just now, it has no more.
        account.credit, account.usable_until, account.remaining, account.granted_at = amount, 9e9, 0, 9e8
    reference = OneByOne(rules, credit, store)
    for pause, tokens, used, ends in steps:
        now[0] += pause
        taken = amounts_of(tokens, 1)
        said, expected = counts.take(taken, 0.0), reference.take(taken, now[0])
        if isinstance(said, Denial):
            assert expected == (said.place if isinstance(said, OverLimit) else "budget")
        else:
            assert list(said.shadowed) == expected
            if ends % 2:
                spent = amounts_of(min(used, tokens), 0)
                said.settle(taken, spent)
                reference.settle(taken, spent, now[0])
        assert counts.levels(now[0]) == [bucket.level(now[0]) for bucket in reference.buckets]
        assert [account.free(0.0) for account in accounts] == reference.credit
