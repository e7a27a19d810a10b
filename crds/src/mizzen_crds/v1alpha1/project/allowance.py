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


class LimitMetric(StrEnum):
    """What a limit counts."""

    REQUESTS = "Requests"
    TOKENS = "Tokens"


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
    """What the project's pods may hold at once."""

    accelerators: Annotated[
        list[AcceleratorQuota], Field(max_length=32, json_schema_extra=keyed_by("acceleratorClass"))
    ] = []
    """Accelerators by class; with any entry, classes that are not named may not be used. Empty: no bound."""
    resources: Annotated[dict[str, Quantity], Field(max_length=32)] = {}
    """Further bounds of each namespace, as in a ResourceQuota's spec.hard: requests.cpu, pods, requests.storage."""


class ProjectQueue(Resource):
    """Admission by Kueue, whose ClusterQueue holds the quota of accelerators; without Kueue, spec.quota does."""

    cluster_queue: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    """ClusterQueue that the namespaces' LocalQueues lead to; it is made by the platform's owner, not by Mizzen."""
    local_queue: DnsLabel = "mizzen"
    """Name of the LocalQueue made in each namespace; deployments without spec.placement.queueName use it."""


class ProjectLimit(Resource):
    """A rate limit over the project, with the fields of the REST resource."""

    name: DnsLabel
    """Unique in the project; refusals name it."""
    key: KeyName | None = None
    """Name of the API key that it is confined to; by default all keys count together."""
    model: CallableName | None = None
    """Served name that it is confined to; by default all models count together."""
    metric: LimitMetric
    """Requests, or tokens of prompt and answer."""
    amount: Annotated[WholeNumber, Field(ge=1, le=10**12)]
    """How many in a window."""
    window_seconds: Annotated[WholeNumber, Field(ge=1, le=2_678_400)] = 60
    """Length of the window."""
    enforcement: Enforcement = Enforcement.ENFORCE
    """Enforce refuses, Shadow only counts, Off rests."""


class ProjectBudget(Resource):
    """Money for each calendar month, with the fields of the REST resource."""

    name: DnsLabel
    """Unique in the project; refusals name it."""
    key: KeyName | None = None
    """Name of the API key that it is confined to; by default all keys count together."""
    model: CallableName | None = None
    """Served name that it is confined to; by default all models count together."""
    amount: Money
    """Money in a calendar month in the organization's currency, a decimal such as 25.00."""
    enforcement: Enforcement = Enforcement.ENFORCE
    """Enforce refuses, Shadow only counts, Off rests."""
