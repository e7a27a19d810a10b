"""Quotas on the wire."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from mizzen_controlplane.kit.wire import Body, example

Bytes = Annotated[int, Field(ge=1, le=2**60, strict=True)]
Count = Annotated[int, Field(ge=0, le=100_000, strict=True)]
ClassName = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]


class AcceleratorQuota(Body):
    """Accelerators of one class."""

    accelerator_class: ClassName
    """Name of the AcceleratorClass."""
    count: Count
    """Accelerators that the project may hold at once."""


def _each_once(given: list[AcceleratorQuota]) -> list[AcceleratorQuota]:
    names = [one.accelerator_class for one in given]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"accelerator_class {twice[0]} stands twice; remove one")
    return given


class QuotaWrite(Body):
    """What a project may keep and hold, as a whole: what is left out has no bound."""

    model_config = example(
        {
            "storage_bytes": 1000000000000,
            "deployments": 20,
            "accelerators": [{"accelerator_class": "l4", "count": 8}],
        }
    )

    storage_bytes: Bytes | None = None
    """Bytes of the files of its versions that are not archived, each content once."""
    deployments: Count | None = None
    """Deployments at once."""
    accelerators: Annotated[list[AcceleratorQuota], Field(max_length=32), AfterValidator(_each_once)] = Field(
        default_factory=list
    )
    """Accelerators by class; with any entry, classes that are not named may not be used."""


class AcceleratorQuotaView(BaseModel):
    """Accelerators of one class, and how many are asked for."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    accelerator_class: str
    """Name of the AcceleratorClass."""
    count: int
    """Accelerators that the project may hold at once."""
    used: int
    """Accelerators that its deployments ask for: the fewest replicas of each, times those of a replica. Deployments
    whose replicas share accelerators are counted by the operator alone."""


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
    accelerators: list[AcceleratorQuotaView]
    """Accelerators by class; empty for no bound."""
    managed_by: str
    """api, or project_object for one that the project's object in the cluster declares: change spec.quota there."""
