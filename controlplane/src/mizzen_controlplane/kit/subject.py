"""Who can call, and what each program's token opens. No one is known by a name in a request, only by a token."""

from dataclasses import dataclass, field
from typing import Protocol

from mizzen_controlplane.kit.permission import GRANTABLE, Permission
from mizzen_controlplane.kit.place import Reach

__all__ = ["GRANTED", "Permission", "Reviewer", "Subject"]

GRANTED: dict[str, frozenset[Permission]] = {
    "admin": GRANTABLE,
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
"""What a program's token carries everywhere; `admin` is the installation's platform administrator."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Who calls."""

    name: str
    """What the audit trail calls it: a program's name; of all others `person:<id>` or `service-account:<id>`."""
    permissions: frozenset[Permission]
    """What its token carries everywhere. None for people and service accounts: their roles say."""
    namespace: str | None = None
    """The one whose project it is confined to; None for who is not confined to one."""
    project_id: str = ""
    """The only project in which what is bound to it counts; empty for who is not confined to one."""
    groups: frozenset[str] = frozenset()
    """Names of the groups that it is in."""
    roles: frozenset[str] = frozenset()
    """Roles that the settings of its identity provider give it, in the whole organization."""
    session_id: str = ""
    """Of the session that it came by; empty for a token that is none."""
    reach: Reach = field(default_factory=Reach)
    """Of a route that asks in which projects the caller may: those."""

    @property
    def principal(self) -> str:
        """What a role is bound to: `person:<id>`, `service-account:<id>`, `program:<name>`."""
        return self.name if ":" in self.name else f"program:{self.name}"

    @property
    def is_program(self) -> bool:
        """Its token says all that it may; roles are not for it."""
        return ":" not in self.name


class Reviewer(Protocol):
    """Who knows the tokens that are not this installation's own."""

    async def subject_of(self, token: str) -> Subject | None:
        """The subject; None for a token that nobody vouches for."""
        ...
