"""Roles and bindings, on the wire."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from mizzen_controlplane.authorization.decision import Effect
from mizzen_controlplane.kit.permission import Permission
from mizzen_controlplane.kit.wire import Body, Labels, Resource, ResourceName, example

PrincipalName = Annotated[
    str,
    StringConstraints(pattern=r"^((person|service-account):[A-Za-z0-9_-]+|group:[^\x00-\x1f]+)$", max_length=128),
]
ResourceRef = Annotated[
    str, StringConstraints(pattern=r"^(model|deployment)/[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?$", max_length=253)
]


Permissions = Annotated[list[Permission], Field(min_length=1, max_length=128)]


class RoleCreate(Body):
    """A role of the organization's own."""

    model_config = example(
        {
            "name": "key-maker",
            "description": "makes and revokes keys",
            "permissions": ["keys:read", "keys:write"],
        }
    )

    name: ResourceName
    """Unique in the organization, and not that of a role of every installation."""
    description: Annotated[str, Field(max_length=1024)] = ""
    """For people."""
    permissions: Permissions
    """What its holders may do where they hold it; each one that you hold in the whole organization."""
    labels: Labels = Field(default_factory=dict)
    """The caller's own."""


class RolePatch(Body):
    """What of a role may change: at once for all who hold it."""

    model_config = example({"permissions": ["keys:read"]})

    description: Annotated[str, Field(max_length=1024)] | None = None
    """For people."""
    permissions: Permissions | None = None
    """All of them; what is added or left out you must hold in the whole organization."""
    labels: Labels | None = None
    """The caller's own."""


class RoleView(BaseModel):
    """A named set of permissions."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """Prefixed; of a role of every installation its name."""
    name: str
    """What bindings name."""
    description: str
    """For people."""
    permissions: list[Permission]
    """What its holders may do where they hold it."""
    built_in: bool
    """It comes with the release and cannot be changed."""
    created_at: datetime | None = None
    """UTC; null for one that comes with the release."""
    updated_at: datetime | None = None
    """UTC; null for one that comes with the release."""
    etag: str | None = None
    """For If-Match; null for one that comes with the release."""
    labels: dict[str, str] = Field(default_factory=dict)
    """The caller's own."""


class BindingCreate(Body):
    """Somebody gets a role, or is denied what it holds."""

    model_config = example({"principal": "group:search", "role": "viewer"})

    role: Annotated[str, Field(min_length=1, max_length=64)]
    """Name of the role."""
    principal: PrincipalName
    """`person:<id>`, `service-account:<id>`, or `group:<name>` for all whom the identity provider says to be in the
    group."""
    effect: Effect = Effect.ALLOW
    """`deny` wins over every `allow`, wherever that one is."""
    labels: Labels = Field(default_factory=dict)
    """The caller's own."""


class ProjectBindingCreate(BindingCreate):
    """The same, in a project or at one resource of it."""

    model_config = example(
        {
            "principal": "group:search",
            "role": "developer",
            "resource": "model/sentiment",
        }
    )

    resource: ResourceRef | None = None
    """`model/<name>` or `deployment/<name>`; without one it is about the whole project."""


class BindingView(Resource):
    """Who holds a role where. Its name is its id; to change one, make another and delete it."""

    role: str
    """Name of the role."""
    principal: str
    """`person:<id>`, `service-account:<id>` or `group:<name>`."""
    effect: Effect
    """Allow, or deny."""
    project: str | None
    """Name of the project; null for the whole organization."""
    resource: str | None
    """`model/<name>` or `deployment/<name>`; null for the whole of that."""
    created_by: str
    """Principal that made it."""


class DecidingBinding(BaseModel):
    """A binding that made the decision."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """rbd_..."""
    role: str
    """Name of the role."""
    principal: str
    """Whom it binds."""
    effect: Effect
    """Allow, or deny."""


class AccessExplanation(BaseModel):
    """Whether somebody may do something, and why."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    principal: str
    """Who."""
    permission: Permission
    """What."""
    project: str | None
    """Where, as it was asked; null for the organization."""
    resource: str | None
    """`model/<name>` or `deployment/<name>`; null for the whole of that."""
    allowed: bool
    """What a route would say now."""
    because: str
    """For people."""
    bindings: list[DecidingBinding]
    """Those that deny; else those that allow; none where nothing does."""
    roles: list[str]
    """Roles of every installation that hold the permission."""
