"""How much may a project use? Accelerators and other resources, requests, tokens and money."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from mizzen_crds.v1alpha1.accelerator_class import Money
from mizzen_crds.v1alpha1.metadata import DnsLabel, Quantity
from mizzen_crds.wire import Resource, WholeNumber, keyed_by

CALLABLE_PATTERN = r"^[a-zA-Z0-9]([-._/a-zA-Z0-9]*[a-zA-Z0-9])?$"

CallableName = Annotated[str, StringConstraints(min_length=1, max_length=127, pattern=CALLABLE_PATTERN)]
"""What a caller writes in "model": a served name, or owner-project/served-name."""
KeyName = Annotated[str, StringConstraints(min_length=1, max_length=63)]
OwnerName = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^(person|service-account):.+$")]


class LimitMetric(StrEnum):
    """What a limit counts."""

    REQUESTS = "Requests"
    TOKENS = "Tokens"
    INPUT_TOKENS = "InputTokens"
    OUTPUT_TOKENS = "OutputTokens"
    CONCURRENCY = "Concurrency"
    COST = "Cost"


class LimitScope(StrEnum):
    """What a limit is counted over."""

    PROJECT = "Project"
    OWNER = "Owner"
    KEY = "Key"
    USER = "User"
    MODEL = "Model"


class BudgetScope(StrEnum):
    """What a budget is counted over."""

    PROJECT = "Project"
    OWNER = "Owner"
    KEY = "Key"
    MODEL = "Model"


class OnStoreLoss(StrEnum):
    """What happens while a limit or a budget cannot be checked."""

    REFUSE = "Refuse"
    ALLOW = "Allow"


class BudgetUnit(StrEnum):
    """What a budget is of."""

    MONEY = "Money"
    TOKENS = "Tokens"
    ACCELERATOR_SECONDS = "AcceleratorSeconds"


class BudgetWindow(StrEnum):
    """When a budget begins anew."""

    DAY = "Day"
    WEEK = "Week"
    MONTH = "Month"
    ROLLING = "Rolling"
    LIFETIME = "Lifetime"


class Hardness(StrEnum):
    """How a budget is held."""

    HARD = "Hard"
    SOFT = "Soft"


class Enforcement(StrEnum):
    """Whether a limit or a budget refuses, only counts, or rests."""

    ENFORCE = "Enforce"
    SHADOW = "Shadow"
    OFF = "Off"


class AcceleratorQuota(Resource):
    """How many accelerators of one class the project may hold at once."""

    accelerator_class: DnsLabel
    """Name of the AcceleratorClass."""
    count: Annotated[WholeNumber, Field(ge=0, le=100_000)]
    """Accelerators, over all namespaces of the project."""


class ProjectQuota(Resource):
    """What the project may keep, and its pods may hold at once."""

    accelerators: Annotated[
        list[AcceleratorQuota], Field(max_length=32, json_schema_extra=keyed_by("acceleratorClass"))
    ] = []
    """Accelerators by class; with any entry, classes that are not named may not be used. Empty: no bound."""
    resources: Annotated[dict[str, Quantity], Field(max_length=32)] = {}
    """Further bounds of each namespace, as in a ResourceQuota's spec.hard: requests.cpu, pods, requests.storage."""
    storage_bytes: Annotated[WholeNumber, Field(ge=1, le=2**60)] | None = None
    """Bytes of the files of its model versions that are not archived, each content once. Default: no bound."""
    deployments: Annotated[WholeNumber, Field(ge=0, le=100_000)] | None = None
    """ModelDeployments at once, over all namespaces of the project. Default: no bound."""


class ProjectQueue(Resource):
    """Admission by Kueue, whose ClusterQueue holds the quota of accelerators; without Kueue, spec.quota does."""

    cluster_queue: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    """ClusterQueue that the namespaces' LocalQueues lead to; it is made by the platform's owner, not by Mizzen."""
    local_queue: DnsLabel = "mizzen"
    """Name of the LocalQueue made in each namespace; deployments without spec.placement.queueName use it."""


class ProjectLimit(Resource):
    """A limit in the project, with the fields of the REST resource."""

    name: DnsLabel
    """Unique in the project; refusals name it."""
    scope: LimitScope | None = None
    """User: each end user on its own. Model: one of the project's models, whoever calls it. Default: Key with a key,
    Owner with an owner, else Project."""
    key: KeyName | None = None
    """Name of the API key that it is confined to; by default all keys count together."""
    owner: OwnerName | None = None
    """person:<id> or service-account:<name> whose keys count together, for scope Owner."""
    model: CallableName | None = None
    """Served name that it is confined to; by default all models count together."""
    metric: LimitMetric
    """Tokens are those of prompt and answer; Concurrency is requests under way; Cost is money."""
    amount: Annotated[WholeNumber, Field(ge=1, le=10**12)] | None = None
    """How many in a window, or at once; not for Cost."""
    cost: Money | None = None
    """Money in a window: for Cost, in place of amount."""
    window_seconds: Annotated[WholeNumber, Field(ge=1, le=2_678_400)] = 60
    """Length of the window; Concurrency has none."""
    enforcement: Enforcement = Enforcement.ENFORCE
    """Enforce refuses, Shadow only counts, Off rests."""
    on_store_loss: OnStoreLoss = OnStoreLoss.REFUSE
    """What happens while the store that it is counted in cannot be reached."""


class ProjectBudget(Resource):
    """Money, tokens or accelerator-seconds for each window, with the fields of the REST resource."""

    name: DnsLabel
    """Unique in the project; refusals name it."""
    scope: BudgetScope | None = None
    """Model: one of the project's models, whoever calls it. Default: Key with a key, Owner with
    an owner, else Project."""
    key: KeyName | None = None
    """Name of the API key that it is confined to; by default all keys count together."""
    owner: OwnerName | None = None
    """person:<id> or service-account:<name> whose keys count together, for scope Owner."""
    model: CallableName | None = None
    """Served name that it is confined to; by default all models count together."""
    unit: BudgetUnit = BudgetUnit.MONEY
    """What it is of."""
    amount: Money
    """What one window has: money in the organization's currency, such as 25.00, tokens, or accelerator-seconds."""
    window: BudgetWindow = BudgetWindow.MONTH
    """Day, Week and Month of the organization's time zone; Rolling; Lifetime never begins anew."""
    window_seconds: Annotated[WholeNumber, Field(ge=900, le=31_622_400, multiple_of=900)] | None = None
    """Length of a rolling window; only for Rolling."""
    hardness: Hardness = Hardness.HARD
    """Hard is never overshot, Soft by little."""
    enforcement: Enforcement = Enforcement.ENFORCE
    """Enforce refuses, Shadow only counts, Off rests."""
    on_store_loss: OnStoreLoss = OnStoreLoss.REFUSE
    """What happens while it cannot be checked."""
    notify_at: Annotated[list[Annotated[WholeNumber, Field(ge=1, le=1000)]], Field(max_length=10)] = []
    """Percentages of the amount, such as 50, 80 and 100, that are announced once a window when they are spent."""
