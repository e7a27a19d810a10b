"""What became of a ModelRoute: written by the operator alone."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from mizzen_crds.v1alpha1.metadata import Condition
from mizzen_crds.wire import Observed, keyed_by


class BackendState(StrEnum):
    """What is known of a backend."""

    READY = "Ready"
    NOT_READY = "NotReady"
    NOT_FOUND = "NotFound"
    NOT_PERMITTED = "NotPermitted"
    UNKNOWN = "Unknown"


class BackendStatus(Observed):
    """One backend, fallback, mirror or step."""

    rule: str
    """Name of the rule."""
    target: str
    """`deployment/NAME`, `model/PROJECT/NAME` or `route/NAME`."""
    state: BackendState = BackendState.UNKNOWN
    """Unknown: what another project runs cannot be seen from here."""


class ModelRouteStatus(Observed):
    """What became of the route."""

    observed_generation: int = -1
    """Generation of the spec that this status was computed from; -1 until the first pass."""
    conditions: Annotated[list[Condition], Field(json_schema_extra=keyed_by("type", 16))] = []
    """Observations; Ready sums them up. Reconciling and Stalled are present only while true."""
    project: str = ""
    """Project of the namespace, whose callers may use the name."""
    served_name: str = ""
    """What callers put in "model"."""
    url: str = ""
    """Where it is called."""
    backends: Annotated[list[BackendStatus], Field(json_schema_extra={"maxItems": 64})] = []
    """What answers, rule by rule, at most 64 entries; those that are not ready first."""
