"""Who can call, and what each program's token opens. No one is known by a name in a request, only by a token."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Permission(StrEnum):
    """What a route needs."""

    MANAGE = "manage"
    ACCESS_READ = "access:read"
    USAGE_WRITE = "usage:write"
    BUDGET_LEASE = "budget:lease"
    OBJECTS_READ = "objects:read"
    OBJECTS_WRITE = "objects:write"
    OCCURRENCES_WRITE = "occurrences:write"
    MODELS_RESOLVE = "models:resolve"
    ARTIFACTS_DESCRIBE = "artifacts:describe"
    ARTIFACTS_READ = "artifacts:read"
    PROJECT_LIMITS_READ = "project-limits:read"
    CONTENT_KEEP = "content:keep"


GRANTED: dict[str, frozenset[Permission]] = {
    "admin": frozenset({Permission.MANAGE}),
    "gateway": frozenset(
        {
            Permission.ACCESS_READ,
            Permission.USAGE_WRITE,
            Permission.BUDGET_LEASE,
            Permission.OBJECTS_READ,
            Permission.CONTENT_KEEP,
        }
    ),
    "runner": frozenset(
        {
            Permission.OBJECTS_READ,
            Permission.OBJECTS_WRITE,
            Permission.OCCURRENCES_WRITE,
            Permission.MODELS_RESOLVE,
            Permission.ARTIFACTS_DESCRIBE,
        }
    ),
    "operator": frozenset({Permission.MODELS_RESOLVE, Permission.ARTIFACTS_DESCRIBE, Permission.PROJECT_LIMITS_READ}),
    "registry": frozenset({Permission.ARTIFACTS_DESCRIBE, Permission.ARTIFACTS_READ}),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """Who calls."""

    name: str
    permissions: frozenset[Permission]
    namespace: str | None = None
    """The one whose project it is confined to; None for who is not confined to one."""


class Reviewer(Protocol):
    """Who knows the tokens that are not this installation's own."""

    async def subject_of(self, token: str) -> Subject | None:
        """The subject; None for a token that nobody vouches for."""
        ...
