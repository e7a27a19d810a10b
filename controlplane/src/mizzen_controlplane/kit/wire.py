"""What every resource looks like on the wire: id, name, times, etag, labels; and how names are checked."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from mizzen_controlplane.kit.etag import etag_of
from mizzen_controlplane.kit.tables import ResourceRow

NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"

ResourceName = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=NAME_PATTERN)]
"""1 to 63 lower-case letters, digits and dashes."""


def _few_labels(labels: dict[str, str]) -> dict[str, str]:
    if len(labels) > 64 or any(len(key) > 63 or len(value) > 253 for key, value in labels.items()):
        raise ValueError("at most 64 labels, keys of at most 63 and values of at most 253 characters")
    return labels


Labels = Annotated[dict[str, str], AfterValidator(_few_labels)]
"""At most 64 labels."""


class Body(BaseModel):
    """A body that a person sends: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


def example(body: dict[str, Any]) -> ConfigDict:
    """For the `model_config` of a body: one that a person would send, shown in the OpenAPI document."""
    return ConfigDict(json_schema_extra={"examples": [body]})


class Resource(BaseModel):
    """What all resources have."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """Prefixed, sortable by time."""
    name: str
    """Unique inside the parent."""
    created_at: datetime
    """UTC."""
    updated_at: datetime
    """UTC."""
    etag: str
    """For If-Match."""
    labels: dict[str, str] = Field(default_factory=dict)
    """The caller's own."""


def resource_fields(row: ResourceRow) -> dict[str, object]:
    """The fields of Resource, from its row."""
    return {
        "id": row.id,
        "name": row.name,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "etag": etag_of(row),
        "labels": row.labels,
    }


def with_etag(response: Response, row: ResourceRow) -> None:
    """Send the ETag of `row` as a header too."""
    response.headers["ETag"] = etag_of(row)
