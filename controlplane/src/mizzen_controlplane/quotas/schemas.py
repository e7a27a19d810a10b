"""Quotas on the wire."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from mizzen_controlplane.kit.wire import Body

Bytes = Annotated[int, Field(ge=1, le=2**60, strict=True)]
Count = Annotated[int, Field(ge=0, le=100_000, strict=True)]


class QuotaWrite(Body):
    """What a project may keep, as a whole: what is left out has no bound."""

    storage_bytes: Bytes | None = None
    """Bytes of the files of its versions that are not archived, each content once."""
    deployments: Count | None = None
    """Deployments at once."""


class QuotaView(BaseModel):
    """A project's quota and how much of it is used."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    project: str
    """Name of the project."""
    storage_bytes: int | None
    """Bytes that it may keep; null for no bound."""
    storage_bytes_used: int
    """Bytes that it has announced or keeps."""
    deployments: int | None
    """Deployments that it may have; null for no bound."""
    deployments_used: int
    """Deployments that it has."""
