"""Budgets on the wire. Amounts are decimal strings in the organization's currency."""

from datetime import datetime
from typing import Annotated

from mizzen_crds.access import Enforcement, Scope
from pydantic import Field, StringConstraints

from mizzen_controlplane.access.counted_over import CallableName
from mizzen_controlplane.kit.wire import Body, Labels, Resource, ResourceName

AmountText = Annotated[str, StringConstraints(min_length=1, max_length=64)]
"""A decimal such as "25.00"."""


class BudgetCreate(Body):
    """A budget to make."""

    name: ResourceName
    """Unique in the project, or in the organization."""
    labels: Labels = Field(default_factory=dict)
    """The caller's own."""
    scope: Scope | None = None
    """project (with a project's path) or key; organization without a project."""
    key: str | None = None
    """Id or name of the key, for scope key."""
    model: CallableName | None = None
    """Served name that it is confined to; absent for all together."""
    amount: AmountText
    """Money in a calendar month, such as "25.00"."""
    enforcement: Enforcement = Enforcement.ENFORCE
    """enforce, shadow (counts only) or off."""


class BudgetPatch(Body):
    """What of a budget may change."""

    labels: Labels = Field(default_factory=dict)
    """The caller's own."""
    amount: AmountText = "0"
    """Money in a calendar month."""
    enforcement: Enforcement = Enforcement.ENFORCE
    """enforce, shadow or off."""


class BudgetView(Resource):
    """A budget and its present month."""

    project_id: str
    """Project that it belongs to; empty for the organization's."""
    scope: Scope
    """What it is counted over."""
    scope_id: str
    """Id of the organization, project or key."""
    model: str | None
    """Served name that it is confined to."""
    enforcement: Enforcement
    """Whether it refuses."""
    currency: str
    """ISO 4217 code."""
    amount: str
    """Money in a calendar month."""
    spent: str
    """Of that, charged this month."""
    leased: str
    """Of that, set aside for gateways."""
    remaining: str
    """Neither spent nor set aside."""
    period_start: datetime
    """Begin of the month, UTC."""
    period_end: datetime
    """End of the month, UTC, exclusive."""
