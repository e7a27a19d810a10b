"""Budgets on the wire. Amounts are decimal strings in the budget's unit."""

from datetime import datetime
from typing import Annotated

from mizzen_crds.access import BudgetUnit, BudgetWindow, Enforcement, Hardness, OnStoreLoss, Scope
from pydantic import AfterValidator, Field, StringConstraints

from mizzen_controlplane.access.counted_over import CallableName
from mizzen_controlplane.kit.wire import Body, Labels, Resource, ResourceName, example

RollingSeconds = Annotated[int, Field(ge=900, le=366 * 86_400, multiple_of=900, strict=True)]
AmountText = Annotated[str, StringConstraints(min_length=1, max_length=64)]
"""A decimal such as "25.00"."""
Percentages = Annotated[
    list[Annotated[int, Field(ge=1, le=1000, strict=True)]],
    Field(max_length=10),
    AfterValidator(lambda given: sorted(set(given))),
]


class BudgetCreate(Body):
    """A budget to make."""

    model_config = example({"name": "monthly", "amount": "2500.00", "notify_at": [50, 80, 100]})

    name: ResourceName
    """Unique in the project, or in the organization."""
    labels: Labels = Field(default_factory=dict)
    """The caller's own."""
    scope: Scope | None = None
    """project (with a project's path), owner, key or model; organization without a project."""
    key: str | None = None
    """Id or name of the key, for scope key."""
    owner: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None
    """person:<id> or service-account:<name or id>, for scope owner: all keys that this one has made in the project
    count together."""
    model: CallableName | None = None
    """Served name that it is confined to; absent for all together. For scope model: one of the project's own."""
    unit: BudgetUnit = BudgetUnit.MONEY
    """money, tokens or accelerator_seconds."""
    amount: AmountText
    """What one window has: money such as "25.00", tokens such as "1000000", or accelerator-seconds such as "3600"."""
    window: BudgetWindow = BudgetWindow.MONTH
    """day, week or month of the organization's time zone; rolling; lifetime."""
    window_seconds: RollingSeconds | None = None
    """Length of a rolling window: a multiple of 900, at most 366 days. Absent for the others."""
    hardness: Hardness = Hardness.HARD
    """hard (never overshot) or soft (overshot by little)."""
    enforcement: Enforcement = Enforcement.ENFORCE
    """enforce, shadow (counts only) or off."""
    on_store_loss: OnStoreLoss = OnStoreLoss.REFUSE
    """What happens while it cannot be checked: refuse or allow."""
    notify_at: Percentages = Field(default_factory=list)
    """Percentages of the amount, such as 50, 80 and 100, that are announced once a period when they are spent."""


class BudgetPatch(Body):
    """What of a budget may change."""

    model_config = example({"amount": "3000.00"})

    labels: Labels = Field(default_factory=dict)
    """The caller's own."""
    amount: AmountText = "0"
    """What one window has, in the budget's unit."""
    enforcement: Enforcement = Enforcement.ENFORCE
    """enforce, shadow or off."""
    hardness: Hardness = Hardness.HARD
    """hard or soft."""
    on_store_loss: OnStoreLoss = OnStoreLoss.REFUSE
    """refuse or allow."""
    notify_at: Percentages = Field(default_factory=list)
    """Percentages of the amount that are announced when they are spent."""


class BudgetView(Resource):
    """A budget and its present period."""

    project_id: str
    """Project that it belongs to; empty for the organization's."""
    scope: Scope
    """What it is counted over."""
    scope_id: str
    """Id of the organization, project or key; of scope owner: project/owner; of scope model: of the project that has
    it."""
    model: str | None
    """Served name that it is confined to."""
    enforcement: Enforcement
    """Whether it refuses."""
    on_store_loss: OnStoreLoss
    """What happens while it cannot be checked."""
    unit: BudgetUnit
    """What it is of, and all its amounts."""
    window: BudgetWindow
    """When it begins anew."""
    window_seconds: int
    """Length of a rolling window; 0 for the others."""
    hardness: Hardness
    """How it is held."""
    notify_at: list[int]
    """Percentages of the amount that are announced, by webhook or e-mail, when they are spent."""
    currency: str
    """ISO 4217 code, of money."""
    amount: str
    """What one window has."""
    spent: str
    """Of that, charged in the present period."""
    leased: str
    """Of that, set aside for gateways."""
    remaining: str
    """Neither spent nor set aside."""
    period_start: datetime
    """Begin of the present period, UTC."""
    period_end: datetime
    """Its end, UTC, exclusive: year 9999 for lifetime; of a rolling one: when its first quarter-hour leaves it."""
