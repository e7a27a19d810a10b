"""What the control plane tells the operator of the limits and budgets of a Project: in force, refused, not seen yet."""

from enum import StrEnum

from mizzen_crds.wire import Message


class LimitsState(StrEnum):
    """What became of spec.limits and spec.budgets of one generation of a Project."""

    PENDING = "pending"
    IN_FORCE = "in_force"
    REFUSED = "refused"
    MANAGED_THROUGH_API = "managed_through_api"


class ProjectLimitsAnswer(Message):
    """What became of the limits and budgets of the generation that was asked about."""

    state: LimitsState
    """pending: not looked at yet; refused: those of before stay in force."""
    message: str = ""
    """Of a refusal: the entry and why."""
