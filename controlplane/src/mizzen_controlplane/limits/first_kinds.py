"""Which kinds of limits and budgets did the first release know? Control planes and gateways of it fail over others."""

from typing import Final

from mizzen_crds.access import BudgetUnit, BudgetWindow, Hardness, LimitMetric, Scope

FURTHER_KINDS: Final = "0004"
"""The migration whose release knows the others."""
OWNERS: Final = "0027"
"""The migration whose release knows those that are counted over owners of keys."""
_METRICS: Final = frozenset({LimitMetric.REQUESTS, LimitMetric.TOKENS})
_SCOPES: Final = frozenset({Scope.ORGANIZATION, Scope.PROJECT, Scope.KEY})


def known_since(scope: Scope) -> str:
    """The migration whose release knows all further kinds of that scope."""
    return OWNERS if scope is Scope.OWNER else FURTHER_KINDS


def known_to_first_release(metric: LimitMetric, scope: Scope) -> bool:
    """Whether a limit is of a kind that it reads."""
    return metric in _METRICS and scope in _SCOPES


def held_by_first_gateway(unit: BudgetUnit, hardness: Hardness, scope: Scope) -> bool:
    """Whether its gateways hold such a budget: when it begins anew the lease tells them."""
    return unit is BudgetUnit.MONEY and hardness is Hardness.HARD and scope in _SCOPES


def kept_by_first_release(unit: BudgetUnit, hardness: Hardness, scope: Scope, window: BudgetWindow) -> bool:
    """Whether its control plane charges such a budget rightly."""
    return held_by_first_gateway(unit, hardness, scope) and window is BudgetWindow.MONTH
