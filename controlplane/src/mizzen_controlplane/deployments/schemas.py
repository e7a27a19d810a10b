"""Deployments on the wire: the manifest of the custom resource, with the fields that all resources have."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from mizzen_controlplane.kit.wire import Body, Resource


class DeploymentView(Resource):
    """A ModelDeployment."""

    project: str
    """Name of the project."""
    manifest: dict[str, Any]
    """The object: apiVersion, kind, metadata, spec, status."""


class ScaleBody(Body):
    """Body of `:scale`."""

    replicas: Annotated[int, Field(ge=0, le=10_000, strict=True)]
    """Replicas to run."""


class RollbackBody(Body):
    """Body of `:rollback`."""

    version: Annotated[int, Field(ge=1, strict=True)] | None = None
    """Version to go back to; absent for the one that served before."""


class OccurrenceView(Body):
    """An event on a deployment; equal ones are counted."""

    time: datetime
    """When it was last seen, UTC."""
    first_seen: datetime
    """When it was first seen, UTC."""
    type: str
    """Normal or Warning."""
    reason: str
    """A constant."""
    message: str
    """For people."""
    count: int
    """How often."""
