"""What does each limit and budget count? A request's amounts by kind, and the kind that each of them looks at.

A request is bounded by a tuple of amounts before it runs and has used another such tuple when it ended. A limit or
budget takes the bound of its kind and is given back the difference. A soft budget has kinds of its own: they begin with
what a request will probably use, and end with the same amounts as the others.
"""

from dataclasses import dataclass

from mizzen_crds.access import BudgetAccess, BudgetUnit, Hardness, LimitAccess, LimitMetric, OnStoreLoss

REQUESTS, TOKENS, INPUT_TOKENS, OUTPUT_TOKENS, COST, CONCURRENCY = range(6)
LIKELY_TOKENS, LIKELY_COST, LIKELY_MS, LIKELY_OUTPUT = range(6, 10)
Amounts = tuple[int, ...]
"""Requests, tokens, prompt tokens, generated tokens, money in pico, requests under way; where a soft budget applies
also tokens, money and milliseconds of accelerators as it counts them, and the generated tokens that it begins with: in
the order above."""

NOTHING: Amounts = (0, 0, 0, 0, 0, 0, 0, 0, 0)
REFUSED: Amounts = (1, 0, 0, 0, 0, 0, 0, 0, 0)
"""By an engine, which had to be asked for that."""

_KINDS = {
    LimitMetric.REQUESTS: REQUESTS,
    LimitMetric.TOKENS: TOKENS,
    LimitMetric.INPUT_TOKENS: INPUT_TOKENS,
    LimitMetric.OUTPUT_TOKENS: OUTPUT_TOKENS,
    LimitMetric.COST: COST,
    LimitMetric.CONCURRENCY: CONCURRENCY,
}
_KINDS_OF_BUDGETS = {
    BudgetUnit.MONEY: (COST, LIKELY_COST),
    BudgetUnit.TOKENS: (TOKENS, LIKELY_TOKENS),
    BudgetUnit.ACCELERATOR_SECONDS: (LIKELY_MS, LIKELY_MS),
}
"""Of a hard one, and of a soft one."""
_WORDS = ("requests", "tokens", "prompt tokens", "generated tokens", "money", "requests at once")


@dataclass(frozen=True, slots=True)
class LimitRule:
    """One limit that applies and is not off."""

    limit: LimitAccess
    count_id: str
    """What is counted together: the limit's id, with the end user behind it where each has a count of its own."""
    kind: int
    """Which of the amounts it counts."""
    enforced: bool
    """It refuses; otherwise it only counts."""
    allows_on_loss: bool
    """Requests pass while the store cannot be reached."""
    amount: int
    """The limit's, at hand: each admitted request is told what is left of it."""
    window_seconds: int
    """The limit's."""

    @property
    def words(self) -> str:
        """What it counts, for people."""
        return _WORDS[self.kind]


@dataclass(frozen=True, slots=True)
class BudgetRule:
    """One enforced budget that applies."""

    budget: BudgetAccess
    kind: int
    """COST or TOKENS; LIKELY_COST, LIKELY_TOKENS or LIKELY_MS where it is soft."""
    soft: bool
    """A request reserves what it will probably use. One of accelerator-seconds always is: nothing bounds them."""
    allows_on_loss: bool
    """Requests pass while the store or the ledger cannot be reached."""


def limit_rule(limit: LimitAccess, count_id: str, *, enforced: bool) -> LimitRule:
    """The rule of a limit."""
    allows_on_loss = limit.on_store_loss is OnStoreLoss.ALLOW or not enforced
    kind, amount, window = _KINDS[limit.metric], limit.amount, limit.window_seconds
    return LimitRule(limit, count_id, kind, enforced, allows_on_loss, amount, window)


def budget_rule(budget: BudgetAccess) -> BudgetRule:
    """The rule of a budget."""
    soft = budget.hardness is Hardness.SOFT or budget.unit is BudgetUnit.ACCELERATOR_SECONDS
    return BudgetRule(budget, _KINDS_OF_BUDGETS[budget.unit][soft], soft, budget.on_store_loss is OnStoreLoss.ALLOW)
