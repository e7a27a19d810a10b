"""What does a caller read who is over a limit or a budget? The limit, its scope and value, and when to try again."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime

from mizzen_crds.access import BudgetAccess

from mizzen_gateway.limits.grants import RateGrant
from mizzen_gateway.stages import Refusal

PICO = 10**12


def over_rate(grants: Iterable[RateGrant], over: RateGrant, units: int, now_ns: int) -> Refusal:
    """429 rate_limit_exceeded."""
    limit = over.limit
    unit = "tokens" if over.per_token else "requests"
    counted = f"{limit.amount} {unit} per {limit.window_seconds} s for the {limit.scope.value}"
    confined = f" on model {limit.model}" if limit.model else ""
    seconds = over.bucket.seconds_until(units, now_ns)
    if seconds is None:
        remedy = f"This request needs up to {units} {unit}, more than the limit ever allows: lower max_tokens."
        retry: tuple[tuple[str, str], ...] = (("x-should-retry", "false"),)
    else:
        milliseconds = max(1, math.ceil(seconds * 1000))
        whole = math.ceil(milliseconds / 1000)
        remedy = f"{over.bucket.remaining(now_ns)} left, {units} needed: try again in {whole} s."
        retry = (("retry-after", str(whole)), ("retry-after-ms", str(milliseconds)))
    message = f"Rate limit {limit.name} is reached: {counted}{confined}. {remedy}"
    return Refusal(429, "rate_limit_exceeded", message, retry + rate_headers(grants, now_ns))


def rate_headers(grants: Iterable[RateGrant], now_ns: int) -> tuple[tuple[str, str], ...]:
    """x-ratelimit-*: for requests and for tokens, the limit of which the smallest part is left."""
    tightest: dict[str, tuple[float, RateGrant, int]] = {}
    for grant in grants:
        if not grant.enforced:
            continue
        bucket = grant.bucket
        left = bucket.remaining(now_ns)
        unit = "tokens" if grant.per_token else "requests"
        part = left / bucket.amount
        found = tightest.get(unit)
        if found is None or part < found[0]:
            tightest[unit] = (part, grant, left)
    headers: list[tuple[str, str]] = []
    for unit, (_, grant, left) in tightest.items():
        headers.append((f"x-ratelimit-limit-{unit}", str(grant.limit.amount)))
        headers.append((f"x-ratelimit-remaining-{unit}", str(left)))
        headers.append((f"x-ratelimit-reset-{unit}", f"{grant.bucket.seconds_until_full(now_ns):.3f}s"))
    return tuple(headers)


def over_budget(budget: BudgetAccess, period_end: float, needed: int, currency: str) -> Refusal:
    """429 budget_exceeded; `period_end` in seconds since the epoch, 0 where the ledger has not told."""
    end = datetime.fromtimestamp(period_end, UTC) if period_end else budget.period_end.astimezone(UTC)
    message = (
        f"Budget {budget.name} of the {budget.scope.value} does not cover this request: its "
        f"{money(budget.amount_pico, currency)} are spent or held for requests under way, "
        f"and this one may cost up to {money(needed, currency)}. "
        f"The period ends at {end:%Y-%m-%dT%H:%M:%SZ}; ask the budget's owner to raise it, or lower max_tokens."
    )
    return Refusal(429, "budget_exceeded", message, (("x-should-retry", "false"),))


def budget_unknown(budget: BudgetAccess) -> Refusal:
    """503 quota_unavailable: the ledger is away and the credit at hand is used up."""
    message = (
        f"Budget {budget.name} cannot be checked: its credit at this gateway is used up and the ledger is silent. "
        "Try again; if it stays, see that the control plane runs and can be reached."
    )
    return Refusal(503, "quota_unavailable", message, (("retry-after", "2"),))


def money(pico: int, currency: str) -> str:
    """For people: `12.5 EUR`, exact, without needless zeros."""
    whole, fraction = divmod(pico, PICO)
    digits = f"{fraction:012d}".rstrip("0").ljust(2, "0")
    return f"{whole}.{digits} {currency}"
