"""What is a limit or a budget counted over? A parent (organization or project), or one key; and can it ever match?"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from mizzen_crds.access import Scope
from pydantic import StringConstraints
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.identity.models import ApiKey, Project
from mizzen_controlplane.identity.repository import find_key
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import invalid_field
from mizzen_controlplane.service_accounts.repository import find_account
from mizzen_controlplane.sign_in.repository import find_person

CallableName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=127, pattern=r"^[a-zA-Z0-9]([-._/a-zA-Z0-9]*[a-zA-Z0-9])?$"),
]
"""A served name as a caller writes it: `name`, or `project/name` for a shared one."""


@dataclass(frozen=True, slots=True)
class Parent:
    """Where limits and budgets belong: names are unique in it."""

    id: str
    project: Project | None
    """None for the organization."""

    @property
    def project_id(self) -> str:
        """The project's id; empty for the organization."""
        return self.project.id if self.project else ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a body says of what something is counted over."""

    scope: Scope | None
    key: str | None
    model: str | None
    owner: str | None = None
    """person:<id>, or service-account:<id or name>."""


@dataclass(frozen=True, slots=True)
class Target:
    """What something is counted over."""

    scope: Scope
    scope_id: str


async def parent_of(session: AsyncSession, plane: Plane, project: str | None) -> Parent:
    """The project by id or name, or the organization for None; raises NotFound."""
    if project is None:
        return Parent(plane.organization_id, None)
    found = await project_or_404(session, plane, project)
    return Parent(found.id, found)


async def target_of(session: AsyncSession, parent: Parent, asked: Asked, now: datetime) -> Target:
    """The target; raises Invalid for one that no request could ever match."""
    if parent.project is None:
        return _of_organization(parent, asked)
    if asked.owner is not None or asked.scope is Scope.OWNER:
        return await _of_owner(session, parent.project, asked)
    scope = asked.scope or (Scope.KEY if asked.key is not None else Scope.PROJECT)
    if scope is Scope.ORGANIZATION:
        raise invalid_field(
            "/scope",
            "A project's scope is project, owner, key, user or model; for the organization leave the project out",
        )
    if scope is Scope.MODEL:
        return _of_model(parent, asked)
    if asked.key is None:
        if scope is Scope.KEY:
            raise invalid_field("/key", "scope is key, so key must name one: its id or name")
        return Target(scope, parent.id)
    if scope is Scope.PROJECT:
        raise invalid_field("/key", "key goes with scope key or user; leave it out, or set scope to key")
    found = await find_key(session, parent.id, asked.key)
    if found is None:
        raise invalid_field(
            "/key", f"The project has no key {asked.key[:64]!r}: give the id or name of one of its keys"
        )
    _can_match(found, asked.model, now)
    return Target(scope, found.id)


def _of_organization(parent: Parent, asked: Asked) -> Target:
    if asked.scope not in (None, Scope.ORGANIZATION, Scope.USER) or asked.key is not None or asked.owner is not None:
        raise invalid_field(
            "/scope",
            "Here the scope is organization, or user for each end user of all projects; for a project, an owner, a "
            "key or a model use /api/v1/projects/{project}/...",
        )
    return Target(asked.scope or Scope.ORGANIZATION, parent.id)


async def _of_owner(session: AsyncSession, project: Project, asked: Asked) -> Target:
    """All keys that one person or service account has made in the project."""
    if asked.scope not in (None, Scope.OWNER) or asked.key is not None:
        raise invalid_field("/owner", "owner goes with scope owner, and without key: it counts all keys of the owner")
    kind, _, ident = (asked.owner or "").partition(":")
    found: str | None = None
    if kind == "person" and (person := await find_person(session, ident)) is not None:
        found = person.id
    if kind == "service-account" and (account := await find_account(session, project.id, ident)) is not None:
        found = account.id
    if found is None:
        raise invalid_field(
            "/owner",
            f"There is no {(asked.owner or 'owner')[:64]!r} here: give person:<id> with the id of a person, or "
            "service-account:<name> with a service account of the project",
        )
    return Target(Scope.OWNER, f"{project.id}/{found}")


def _of_model(parent: Parent, asked: Asked) -> Target:
    if asked.model is None or "/" in asked.model:
        raise invalid_field(
            "/model", "scope is model, so model must be the served name of one of the project's own, without a slash"
        )
    if asked.key is not None:
        raise invalid_field(
            "/key", "scope is model, which counts all keys together; leave key out, or set scope to key"
        )
    return Target(Scope.MODEL, parent.id)


def _can_match(key: ApiKey, model: str | None, now: datetime) -> None:
    if key.revoked_at is not None:
        raise invalid_field("/key", f"Key {key.id} is revoked, so this could never match: name a live key")
    if key.expires_at is not None and key.expires_at <= now:
        raise invalid_field("/key", f"Key {key.id} expired {key.expires_at}, so this could never match")
    # A key with routes reaches whatever its routes lead to.
    if model is not None and key.routes is None and key.models is not None and model not in key.models:
        raise invalid_field(
            "/model",
            f"Key {key.id} may not call {model!r} (only {', '.join(key.models) or 'none'}), so this could never match",
        )
