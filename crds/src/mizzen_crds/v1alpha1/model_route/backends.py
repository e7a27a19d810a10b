"""Where a route sends a request: weighted backends, fallbacks, mirrors and the steps of a pipeline."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from mizzen_crds.v1alpha1.metadata import DnsLabel
from mizzen_crds.wire import AS_SET, Resource, WholeNumber, keyed_by

SHARED_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-zA-Z0-9]([-._a-zA-Z0-9]*[a-zA-Z0-9])?$"

SharedName = Annotated[str, StringConstraints(min_length=3, max_length=127, pattern=SHARED_PATTERN)]
"""`project/served-name`."""
FieldName = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class BackendRef(Resource):
    """What answers: exactly one of deployment, model and route."""

    deployment: DnsLabel | None = None
    """ModelDeployment of the route's namespace."""
    model: SharedName | None = None
    """`project/served-name`: a model that another project shares with this one."""
    route: DnsLabel | None = None
    """Another ModelRoute of the route's namespace; chains may not come back."""


class WeightedBackend(BackendRef):
    """A backend and its share of a rule's requests."""

    weight: Annotated[WholeNumber, Field(ge=0, le=1000)] = 1
    """Share, relative to the sum of the rule's weights; 0 for none."""


class FallbackCause(StrEnum):
    """Why a request goes on to a fallback."""

    NOT_READY = "NotReady"
    OVERLOADED = "Overloaded"
    FAILED = "Failed"
    TIMED_OUT = "TimedOut"


class Fallback(BackendRef):
    """What answers when the backends do not; tried in order, before the first byte of an answer only."""

    causes: Annotated[list[FallbackCause], Field(max_length=4, json_schema_extra=AS_SET)] = []
    """NotReady: no endpoint. Overloaded: 429 or a full queue. Failed: no connection or 5xx. Empty: all of them."""


class Mirror(BackendRef):
    """A backend that gets copies of requests; its answers are dropped, and callers neither wait nor pay for them."""

    percent: Annotated[WholeNumber, Field(ge=1, le=100)] = 100
    """Share of the rule's requests that is copied."""


class StepInput(Resource):
    """One input of a step of a pipeline."""

    name: FieldName
    """Input of the step's model: a tensor, or `prompt` for a language model."""
    step: DnsLabel
    """Earlier step that it comes from, or `request` for what the caller sent."""
    output: FieldName
    """Output of that step, or field of the request: a tensor, or `text` for a language model's answer."""


class PipelineStep(BackendRef):
    """One model of a pipeline; its output is the input of later ones, and the last one's is the answer."""

    name: DnsLabel
    """Name, unique in the pipeline; `request` is taken."""
    inputs: Annotated[list[StepInput], Field(max_length=8, json_schema_extra=keyed_by("name"))] = []
    """Inputs and where they come from; by default the outputs of the step before, by their names."""
