"""Grants on the wire."""

from typing import Annotated

from pydantic import Field, StringConstraints

from mizzen_controlplane.kit.wire import Body, Labels, Resource, example

SharedName = Annotated[
    str,
    StringConstraints(
        min_length=3,
        max_length=127,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-zA-Z0-9]([-._/a-zA-Z0-9]*[a-zA-Z0-9])?$",
    ),
]
"""`owner-project/served-name`."""


class GrantCreate(Body):
    """Access to another project's model."""

    model_config = example({"model": "research/sentiment"})

    model: SharedName
    """`owner-project/served-name`; works while that deployment is Shared and its allowedProjects name this project."""
    labels: Labels = Field(default_factory=dict)
    """The caller's own."""


class GrantView(Resource):
    """Access to another project's model; its name is the model's."""

    project: str
    """Name of the project that may call it."""
    model: str
    """`owner-project/served-name`, as callers write it."""
