"""Which limits, budgets and price apply to this key and model? Worked out once a snapshot, then remembered."""

from dataclasses import dataclass

from mizzen_crds.access import BudgetAccess, Enforcement, LimitAccess, LimitMetric, Price

from mizzen_gateway.discovery.access_index import AccessIndex
from mizzen_gateway.limits.credit import CreditAccount
from mizzen_gateway.limits.gcra import Bucket
from mizzen_gateway.limits.leases import CreditLeases
from mizzen_gateway.stages import Caller, Charge, Estimate

GRANTS_LIMIT = 65_536
"""Pairs of key and model remembered at most."""


@dataclass(frozen=True, slots=True)
class RateGrant:
    """One rate limit that applies, with its count."""

    limit: LimitAccess
    bucket: Bucket
    enforced: bool
    per_token: bool

    def units(self, tokens: int) -> int:
        """What a request of that many tokens takes."""
        return tokens if self.per_token else 1


@dataclass(frozen=True, slots=True)
class BudgetGrant:
    """One enforced budget that applies, with this gateway's credit."""

    budget: BudgetAccess
    account: CreditAccount


@dataclass(frozen=True, slots=True)
class Grant:
    """All that stage 4 needs for one key and model."""

    rates: tuple[RateGrant, ...]
    budgets: tuple[BudgetGrant, ...]
    budget_ids: tuple[str, ...]
    """Every budget that is charged, shadow ones included."""
    price: Price | None
    currency: str

    def cost(self, input_tokens: int, output_tokens: int) -> int:
        """Price of a request, in pico."""
        price = self.price
        if price is None:
            return 0
        tokens = input_tokens * price.pico_per_input_token + output_tokens * price.pico_per_output_token
        return price.pico_per_request + tokens

    def charge(self, cost_pico: int) -> Charge:
        """The charge of that much money."""
        rate_card_id = "" if self.price is None else self.price.rate_card_id
        return Charge(cost_pico, self.currency, rate_card_id, self.budget_ids, self.cost(0, 0))


class GrantTable:
    """Grants by key and model; buckets and credit outlive the snapshot."""

    def __init__(self, leases: CreditLeases) -> None:
        self._leases = leases
        self._index: AccessIndex | None = None
        self._grants: dict[tuple[str, str], Grant] = {}
        self._buckets: dict[str, Bucket] = {}

    def grant(self, index: AccessIndex, caller: Caller, model: str, now_ns: int) -> Grant:
        """What applies to this caller and served name."""
        if index is not self._index:
            self._take_up(index)
        pair = (caller.key_id, model)
        grant = self._grants.get(pair)
        if grant is None:
            if len(self._grants) >= GRANTS_LIMIT:
                self._grants.clear()
            grant = self._grants[pair] = self._resolve(index, caller, model, now_ns)
        return grant

    def _take_up(self, index: AccessIndex) -> None:
        self._index = index
        self._grants.clear()
        known = {limit.id for limits in index.limits.entries.values() for limit in limits}
        for limit_id in self._buckets.keys() - known:
            del self._buckets[limit_id]
        self._leases.forget_exhaustion()

    def _resolve(self, index: AccessIndex, caller: Caller, model: str, now_ns: int) -> Grant:
        limits = index.limits.matching(caller, model)
        budgets = index.budgets.matching(caller, model)
        return Grant(
            rates=tuple(self._rate(limit, now_ns) for limit in limits if limit.enforcement is not Enforcement.OFF),
            budgets=tuple(
                BudgetGrant(budget, self._leases.account(budget.id))
                for budget in budgets
                if budget.enforcement is Enforcement.ENFORCE
            ),
            budget_ids=tuple(budget.id for budget in budgets if budget.enforcement is not Enforcement.OFF),
            price=index.price_of(caller, model),
            currency=index.currency,
        )

    def _rate(self, limit: LimitAccess, now_ns: int) -> RateGrant:
        window_ns = limit.window_seconds * 1_000_000_000
        bucket = self._buckets.get(limit.id)
        if bucket is None:
            bucket = self._buckets[limit.id] = Bucket(limit.amount, window_ns)
        elif (bucket.amount, bucket.window_ns) != (limit.amount, window_ns):
            bucket.resize(limit.amount, window_ns, now_ns)
        per_token = limit.metric is LimitMetric.TOKENS
        return RateGrant(limit, bucket, limit.enforcement is Enforcement.ENFORCE, per_token)


def most_tokens(estimate: Estimate) -> int:
    """The most tokens that a request can use."""
    return estimate.input_tokens + estimate.choices * estimate.output_tokens
