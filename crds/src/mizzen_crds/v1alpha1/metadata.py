"""The part of Kubernetes' object metadata that Mizzen reads, and conditions of the standard shape."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from mizzen_crds.wire import Observed, Resource

DnsLabel = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
"""A name as Kubernetes wants it for a namespace or a Service."""


def _quantity_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


QUANTITY_PATTERN = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
Quantity = Annotated[
    str,
    StringConstraints(min_length=1, max_length=32, pattern=QUANTITY_PATTERN),
    BeforeValidator(_quantity_text),
    WithJsonSchema({"x-kubernetes-int-or-string": True, "pattern": QUANTITY_PATTERN, "maxLength": 32}),
]
"""An amount as Kubernetes writes it; a whole number may stand without quotes."""


class ObjectMeta(Observed):
    """Identity and bookkeeping of an object."""

    name: DnsLabel
    """Name, unique in the namespace."""
    namespace: str = ""
    """Namespace; empty for a cluster-scoped object."""
    uid: str = ""
    """Set by the store; never the same for two objects, also of one name."""
    resource_version: str = ""
    """Opaque version of the whole object, set by the store."""
    generation: int = 0
    """Counts changes of the spec, set by the store."""
    creation_timestamp: datetime | None = None
    """When the object was created, UTC."""
    deletion_timestamp: datetime | None = None
    """When its deletion was asked for, UTC."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Labels."""
    annotations: dict[str, str] = Field(default_factory=dict)
    """Annotations."""


ConditionStatus = Literal["True", "False", "Unknown"]


class Condition(Observed):
    """One observation, of the standard shape."""

    type: Annotated[str, StringConstraints(min_length=1, max_length=316)]
    """What is observed."""
    status: ConditionStatus
    """True, False, or Unknown when it cannot be told."""
    reason: Annotated[
        str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
    ]
    """A constant of the table of reasons."""
    message: Annotated[str, StringConstraints(max_length=4096)] = ""
    """What blocks and what to do about it, for people."""
    last_transition_time: datetime
    """When the status last changed, UTC."""
    observed_generation: int | None = None
    """Generation of the spec that this was computed from."""


class Named(Resource):
    """A name and a value, as in a container's environment."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    """Name."""
    value: Annotated[str, StringConstraints(max_length=32768)] = ""
    """Value."""
