"""Is there a gateway that holds this kind of limit or budget? What none holds is refused by name, never kept unheld."""

from collections.abc import Collection
from enum import StrEnum

from mizzen_crds import held_limits
from mizzen_crds.access import BudgetUnit, Hardness, Scope

from mizzen_controlplane.budgets.schemas import BudgetCreate, BudgetPatch
from mizzen_controlplane.kit.problem import invalid_field
from mizzen_controlplane.limits.schemas import LimitCreate, LimitPatch


def refuse_unheld_limit(body: LimitCreate, scope: Scope) -> None:
    """Raises Invalid with the field and what it may be."""
    _refuse("metric", body.metric, held_limits.HELD_METRICS)
    _refuse("scope", scope, held_limits.HELD_SCOPES)
    _refuse("on_store_loss", body.on_store_loss, held_limits.HELD_ON_STORE_LOSS)


def refuse_unheld_budget(body: BudgetCreate, scope: Scope) -> None:
    """As of a limit. No budget is counted over each end user: their number has no bound."""
    _refuse("unit", body.unit, held_limits.HELD_UNITS)
    _refuse("window", body.window, held_limits.HELD_WINDOWS)
    _refuse("hardness", body.hardness, held_limits.HELD_HARDNESS)
    refuse_unbounded(body.unit, body.hardness)
    _refuse("on_store_loss", body.on_store_loss, held_limits.HELD_ON_STORE_LOSS)
    if scope is Scope.USER:
        raise invalid_field("/scope", "scope: a budget is not counted over end users; make a limit of metric cost")
    _refuse("scope", scope, held_limits.HELD_SCOPES)


def refuse_unbounded(unit: BudgetUnit, hardness: Hardness) -> None:
    """Raises Invalid for a hard budget of what no request has a bound of."""
    if unit is BudgetUnit.ACCELERATOR_SECONDS and hardness is Hardness.HARD:
        raise invalid_field(
            "/hardness",
            "hardness: a budget of accelerator-seconds is soft only, since nothing bounds beforehand how long a request"
            " takes; use soft, or a budget of tokens or money",
        )


def refuse_unheld_patch(body: LimitPatch | BudgetPatch) -> None:
    """The same of a change."""
    if isinstance(body, BudgetPatch):
        _refuse("hardness", body.hardness, held_limits.HELD_HARDNESS)
    _refuse("on_store_loss", body.on_store_loss, held_limits.HELD_ON_STORE_LOSS)


def _refuse(field: str, value: StrEnum, held: Collection[StrEnum]) -> None:
    if value not in held:
        listed = ", ".join(each.value for each in type(value) if each in held)
        raise invalid_field(
            f"/{field}", f"{field}: gateways of this release do not hold {value.value!r} yet; use {listed}"
        )
