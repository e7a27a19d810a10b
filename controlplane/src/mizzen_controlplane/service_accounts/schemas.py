"""Service accounts and their tokens, on the wire."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, Field

from mizzen_controlplane.identity.schemas import KeyState
from mizzen_controlplane.kit.wire import Body, Labels, Resource, ResourceName, example

Description = Annotated[str, Field(max_length=1024)]


class ServiceAccountCreate(Body):
    """A new service account; it may do nothing until a role is bound to it."""

    model_config = example({"name": "ci", "description": "pushes versions from the pipeline"})

    name: ResourceName
    """Unique in the project."""
    description: Description = ""
    """What it is for."""
    labels: Labels = Field(default_factory=dict)
    """The caller's own."""


class ServiceAccountPatch(Body):
    """What of a service account may change."""

    model_config = example({"disabled": True})

    description: Description | None = None
    """What it is for."""
    disabled: bool | None = None
    """None of its tokens opens anything, from the next request on, until it is enabled again."""
    labels: Labels | None = None
    """The caller's own."""


class ServiceAccountView(Resource):
    """A program that acts in one project."""

    project: str
    """Name of the only project that it can hold roles in."""
    principal: str
    """`service-account:<id>`: what bindings and the audit trail call it."""
    description: str
    """What it is for."""
    disabled: bool
    """None of its tokens opens anything."""
    created_by: str
    """Who made it."""


class ServiceAccountTokenCreate(Body):
    """A new token of a service account."""

    model_config = example({"name": "pipeline", "expires_at": "2099-01-31T00:00:00Z"})

    name: ResourceName
    """Unique among the account's tokens, revoked ones included."""
    expires_at: AwareDatetime | None = None
    """Refused from then on; in the future, with a time zone. Absent for never."""
    labels: Labels = Field(default_factory=dict)
    """The caller's own."""


class ServiceAccountTokenView(Resource):
    """A token of a service account, without its secret."""

    service_account: str
    """Name of the account that it is of."""
    state: KeyState
    """Whether it opens anything now, where the account is not disabled."""
    expires_at: datetime | None
    """Refused from then on."""
    revoked_at: datetime | None
    """When it was revoked."""
    previous_secret_expires_at: datetime | None
    """Until when the secret before the last rotation works too."""
    last_used_at: datetime | None
    """Last use, give or take a minute, UTC; null for none."""
    created_by: str
    """Who made it."""


class ServiceAccountTokenWithSecret(ServiceAccountTokenView):
    """A token at its making or rotation."""

    secret: str
    """`mzt_account_...`, for the header Authorization. Shown this once, stored nowhere."""
