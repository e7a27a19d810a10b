"""Which kinds of limits and budgets do the gateways of this release hold? The control plane refuses all others by name.

A gateway that learns to hold another kind adds it here, in the same change.
"""

from typing import Final

from mizzen_crds.access import BudgetUnit, BudgetWindow, Hardness, LimitMetric, OnStoreLoss, Scope

HELD_METRICS: Final = frozenset(LimitMetric)
"""What limits may count."""
HELD_SCOPES: Final = frozenset(Scope)
"""What limits and budgets may be counted over."""
HELD_UNITS: Final = frozenset(BudgetUnit)
"""What budgets may be of."""
HELD_WINDOWS: Final = frozenset(BudgetWindow)
"""When budgets may begin anew."""
HELD_HARDNESS: Final = frozenset(Hardness)
"""How budgets may be held."""
HELD_ON_STORE_LOSS: Final = frozenset(OnStoreLoss)
"""What limits and budgets may do while the store cannot be reached."""
