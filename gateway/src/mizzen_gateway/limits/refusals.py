"""What does a caller read who is over a limit or a budget? The limit, its scope and value, and when to try again."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mizzen_crds.access import BudgetUnit, Scope
from mizzen_crds.gcra import CRUMB, remaining, seconds_until

from mizzen_gateway.limits.answers import OverBudget
from mizzen_gateway.limits.rules import (
    CONCURRENCY,
    COST,
    INPUT_TOKENS,
    REQUESTS,
    TOKENS,
    Amounts,
    BudgetRule,
    LimitRule,
)
from mizzen_gateway.stages import Refusal

PICO = 10**12
MICRO = 10**6
DIGITS = 4
"""What is left and needed is told to the millionth, or to so many digits where less is needed."""
HEADER_NAMES = {
    kind: (f"x-ratelimit-limit-{unit}", f"x-ratelimit-remaining-{unit}", f"x-ratelimit-reset-{unit}")
    for kind, unit in ((REQUESTS, "requests"), (TOKENS, "tokens"))
}
"""Of the kinds that x-ratelimit headers speak of."""
BUSY_SECONDS = 1
"""When to try again where too many requests run: nobody knows when one ends."""
HELD_SECONDS = 2
"""Likewise where what requests under way hold of a budget would be enough."""

WHOSE = {scope: f"the {scope.value}" for scope in Scope} | {
    Scope.ORGANIZATION: "all projects together",
    Scope.OWNER: "all keys of this key's owner",
}
"""A gateway alone has no organization; what one has over all of its projects is over all projects for it too."""

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Size:
    """Of a refused request: what it consists of, so that the remedy is one."""

    prompt: int
    """Tokens, at most."""
    answers: int
    """Tokens, at most: as many as it asks for, or as its model may generate."""
    least: Amounts
    """What it would take if it asked for one token."""


def over_limit(
    limits: Sequence[LimitRule], place: int, levels: Sequence[float], units: int, currency: str, size: Size
) -> Refusal:
    """429 rate_limit_exceeded, or too_many_concurrent_requests."""
    rule = limits[place]
    if rule.kind == CONCURRENCY:
        return _too_many_at_once(limits, rule, levels)
    limit = rule.limit
    if rule.kind == COST:
        amount, needed = money(limit.amount, currency), money(_rounded_up(units), currency)
        left = money(_rounded(remaining(limit.amount, levels[place]), units), currency)
    else:
        amount, needed = f"{limit.amount} {rule.words}", str(units)
        left = str(remaining(limit.amount, levels[place]))
    counted = f"{amount} per {limit.window_seconds} s for {WHOSE[limit.scope]}{_confined(rule)}"
    seconds = seconds_until(units, limit.amount, limit.window_seconds, levels[place])
    if seconds is None:
        most = needed if rule.kind == COST else f"{needed} {rule.words}"
        if rule.kind == TOKENS:
            most += f" ({size.prompt} at most for its prompt, {size.answers} for what it may generate)"
        remedy = f"This request needs up to {most}, more than the limit ever allows: {_smaller(rule, size)}."
        retry: Headers = (("x-should-retry", "false"),)
    else:
        milliseconds = max(1, math.ceil(seconds * 1000))
        whole = math.ceil(milliseconds / 1000)
        remedy = f"{left} left, {needed} needed: try again in {whole} s."
        retry = (("retry-after", str(whole)), ("retry-after-ms", str(milliseconds)))
    message = f"Rate limit {limit.name} is reached: {counted}. {remedy}"
    return Refusal(429, "rate_limit_exceeded", message, retry + rate_headers(limits, levels))


def _smaller(rule: LimitRule, size: Size) -> str:
    if size.least[rule.kind] <= rule.amount:
        return "set max_tokens, or a smaller one"
    if rule.kind in (TOKENS, INPUT_TOKENS):
        return "send a shorter prompt, or ask for a larger limit"
    return "whatever max_tokens is; ask for a larger limit"


def rate_headers(limits: Sequence[LimitRule], levels: Sequence[float]) -> Headers:
    """x-ratelimit-*: for requests and for tokens, the enforced limit of which the smallest part is left."""
    tightest: list[LimitRule | None] = [None, None]
    parts, used = [-1.0, -1.0], [0.0, 0.0]
    for rule, level in zip(limits, levels, strict=True):
        kind = rule.kind
        if kind <= TOKENS and rule.enforced:
            part = level / rule.amount
            if part > parts[kind]:
                parts[kind], used[kind], tightest[kind] = part, level, rule
    requests, tokens = tightest
    told: Headers = () if requests is None else _told(requests, used[REQUESTS])
    return told if tokens is None else (*told, *_told(tokens, used[TOKENS]))


def _told(rule: LimitRule, level: float) -> Headers:
    amount = rule.amount
    limit, remaining, reset = HEADER_NAMES[rule.kind]
    left = amount - math.ceil(level - CRUMB)
    return (
        (limit, str(amount)),
        (remaining, str(left if left > 0 else 0)),
        (reset, f"{level * rule.window_seconds / amount:.3f}s"),
    )


def over_budget(rule: BudgetRule, denial: OverBudget, needed: int, currency: str, size: Size) -> Refusal:
    """429 budget_exceeded; who is told to try again lacks only what requests under way hold."""
    budget, free, held = rule.budget, denial.free, denial.held
    smaller = "set a smaller max_tokens" if size.least[rule.kind] < needed else ""
    most = "will probably" if rule.soft else "may"
    up_to = "" if rule.soft else "up to "
    in_money = budget.unit is BudgetUnit.MONEY
    told = _rounded_up(needed) if in_money else needed
    bound = f"{most} {'cost' if in_money else 'use'} {up_to}{_of_unit(rule, told, currency)}"
    raised = f"the budget's owner to raise it{smaller and ', or '}{smaller}."
    retry: Headers = (("x-should-retry", "false"),)
    all_of = _all_of(rule, currency)
    parts = [_rounded(one, needed) if in_money else one for one in (free, held)]
    at_hand = (
        f"of its {all_of}, {_of_unit(rule, parts[0], currency)} are at hand and {_of_unit(rule, parts[1], currency)}"
        " held for requests under way"
    )
    if needed > budget.amount_pico:
        why = f"this one {bound}, and the whole budget is {all_of}. Ask {raised}"
    elif held and free + held >= needed:
        why = (
            f"{at_hand}, and this one {bound}. Try again in {HELD_SECONDS} s, when some of"
            f" them may have ended{smaller and ', or '}{smaller}."
        )
        retry = (("retry-after", str(HELD_SECONDS)),)
    else:
        why = f"{at_hand}, and this one {bound}. {_lasts(rule, denial.period_end)} {raised}"
    message = f"Budget {budget.name} of {WHOSE[budget.scope]} does not cover this request: {why}"
    return Refusal(429, "budget_exceeded", message, retry)


def stream_over_budget(rule: BudgetRule, period_end: float, output_tokens: int, currency: str) -> Refusal:
    """The same code, for a stream that ends after so many tokens of its answer (below 0: it has none)."""
    budget, after = rule.budget, f", after {output_tokens} tokens" if output_tokens >= 0 else ""
    message = (
        f"Budget {budget.name} of {WHOSE[budget.scope]} is used up: its {_all_of(rule, currency)} are spent or held "
        f"for requests under way, so this answer ends here, unfinished{after}. "
        f"{_lasts(rule, period_end)} the budget's owner to raise it."
    )
    return Refusal(429, "budget_exceeded", message)


def _all_of(rule: BudgetRule, currency: str) -> str:
    return _of_unit(rule, rule.budget.amount_pico, currency)


def _of_unit(rule: BudgetRule, amount: int, currency: str) -> str:
    if rule.budget.unit is BudgetUnit.ACCELERATOR_SECONDS:
        return f"{amount / 1000:g} accelerator-seconds"
    return f"{amount} tokens" if rule.budget.unit is BudgetUnit.TOKENS else money(amount, currency)


def _lasts(rule: BudgetRule, period_end: float) -> str:
    end = datetime.fromtimestamp(period_end, UTC) if period_end else rule.budget.period_end.astimezone(UTC)
    return f"The period ends at {end:%Y-%m-%dT%H:%M:%SZ}; ask" if end.year < 9999 else "Ask"


def time_unbounded(budgets: Iterable[BudgetRule]) -> Refusal | None:
    """403: a hard budget of money reserves the most that a request can cost, and nothing bounds its time."""
    hard = (one.budget for one in budgets if one.budget.unit is BudgetUnit.MONEY and not one.soft)
    budget = next(hard, None)
    if budget is None:
        return None
    message = (
        f"Budget {budget.name} of {WHOSE[budget.scope]} is hard and this model has a price per accelerator-second, "
        "which nothing bounds beforehand: ask for a soft budget, or for a price by token or request."
    )
    return Refusal(403, "unbounded_price", message, (("x-should-retry", "false"),))


def budget_unknown(rule: BudgetRule) -> Refusal:
    """503 quota_unavailable: the ledger is away and the credit at hand is used up."""
    message = (
        f"Budget {rule.budget.name} cannot be checked: its credit at hand is used up and the ledger is silent. "
        "Try again; if it stays, whoever runs the gateway finds the cause in its log."
    )
    return Refusal(503, "quota_unavailable", message, (("retry-after", "2"),))


def store_forgot(rule: BudgetRule, closed_until: float, now: float) -> Refusal:
    """503 quota_unavailable: what was admitted before the store lost its memory may still be spending."""
    seconds = max(1, math.ceil(closed_until - now))
    message = (
        f"Budget {rule.budget.name} gives no credit yet: the store of limits has lost its memory, and requests "
        f"admitted before may still be spending. Try again in {seconds} s."
    )
    return Refusal(503, "quota_unavailable", message, (("retry-after", str(seconds)),))


def store_lost(rule: LimitRule | BudgetRule) -> Refusal:
    """503 quota_unavailable: a limit or budget cannot be checked, and does not let requests pass unchecked."""
    kind, name = ("Limit", rule.limit.name) if isinstance(rule, LimitRule) else ("Budget", rule.budget.name)
    message = (
        f"{kind} {name} cannot be checked: the store of limits does not answer. Try again; if it stays, whoever "
        "runs the gateway has to see that this store runs and can be reached."
    )
    return Refusal(503, "quota_unavailable", message, (("retry-after", "1"),))


def _too_many_at_once(limits: Sequence[LimitRule], rule: LimitRule, levels: Sequence[float]) -> Refusal:
    limit = rule.limit
    message = (
        f"Limit {limit.name} is reached: {limit.amount} requests at once for {WHOSE[limit.scope]}{_confined(rule)}. "
        "Try again when one of them has ended."
    )
    retry: Headers = (("retry-after", str(BUSY_SECONDS)),)
    return Refusal(429, "too_many_concurrent_requests", message, retry + rate_headers(limits, levels))


def _confined(rule: LimitRule) -> str:
    return f" on model {rule.limit.model}" if rule.limit.model else ""


def _rounded(pico: int, needed: int) -> int:
    """Down, as fine as what is needed beside it is told."""
    return pico - pico % _grain(needed)


def _rounded_up(needed: int) -> int:
    return needed + -needed % _grain(needed)


def _grain(needed: int) -> int:
    return MICRO if needed >= MICRO * 10**DIGITS else 10 ** max(0, len(str(needed)) - DIGITS)


def money(pico: int, currency: str) -> str:
    """For people: `12.50 EUR`, exact, without needless zeros."""
    whole, fraction = divmod(pico, PICO)
    digits = f"{fraction:012d}".rstrip("0").ljust(2, "0")
    return f"{whole}.{digits} {currency}"
