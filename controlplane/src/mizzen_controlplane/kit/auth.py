"""Who calls, and whether they may: every route names the permission it needs; one without cannot be declared."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from fastapi import Depends, Request

from mizzen_controlplane.kit.plane import plane_of
from mizzen_controlplane.kit.problem import Forbidden, Unauthorized
from mizzen_controlplane.kit.secret_folder import SecretFolder, token_digest


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


_GRANTED: dict[str, frozenset[Permission]] = {
    "admin": frozenset({Permission.MANAGE}),
    "gateway": frozenset(
        {Permission.ACCESS_READ, Permission.USAGE_WRITE, Permission.BUDGET_LEASE, Permission.OBJECTS_READ}
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
    "registry": frozenset({Permission.ARTIFACTS_DESCRIBE, Permission.ARTIFACTS_READ}),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """Who calls."""

    name: str
    permissions: frozenset[Permission]


def authenticate(secrets: SecretFolder, authorization: str) -> Subject:
    """The subject of an Authorization header; raises Unauthorized."""
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise _refusal("Send the header `Authorization: Bearer <token>`; `mizzen up` wrote the token to its context.")
    if token.startswith("mzk_"):
        raise _refusal("This is an API key for models; management needs an administrator's token (mzt_...).")
    # A digest of 256 random bits is looked up, never the token itself: the time it takes tells nothing of use.
    program = secrets.token_digests.get(token_digest(token))
    if program is None:
        raise _refusal("The token is not known here. Use the one of this installation's context file.")
    return Subject(program, _GRANTED[program])


def _refusal(detail: str) -> Unauthorized:
    return Unauthorized(detail, headers={"WWW-Authenticate": 'Bearer realm="mizzen"'})


class Allow:
    """The dependency that lets a subject with one of `permissions` pass."""

    def __init__(self, *permissions: Permission) -> None:
        self.permissions = frozenset(permissions)

    def __call__(self, request: Request) -> Subject:
        """The subject; raises Unauthorized or Forbidden."""
        subject = authenticate(plane_of(request).secrets, request.headers.get("authorization", ""))
        if not subject.permissions & self.permissions:
            wanted = " or ".join(sorted(self.permissions))
            raise Forbidden(f"The token of {subject.name} does not carry the permission {wanted} that this needs.")
        return subject


class Public:
    """The dependency of a route that needs no subject; its path must be in PUBLIC_PATHS."""

    def __call__(self) -> None:
        """Let anyone pass."""


PUBLIC_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
"""Every route that needs no subject."""

Admin = Annotated[Subject, Depends(Allow(Permission.MANAGE))]
"""A person or pipeline that manages, for an endpoint's signature."""
