"""Who calls, and whether they may: every route names the permission it needs; one without cannot be declared."""

from typing import Annotated

from fastapi import Depends, Request

from mizzen_controlplane.kit.plane import Plane, plane_of
from mizzen_controlplane.kit.problem import Forbidden, Unauthorized
from mizzen_controlplane.kit.secret_folder import token_digest
from mizzen_controlplane.kit.subject import GRANTED, Permission, Subject

__all__ = ["PUBLIC_PATHS", "Admin", "Allow", "Permission", "Public", "Subject", "authenticate"]


async def authenticate(plane: Plane, authorization: str) -> Subject:
    """The subject of an Authorization header; raises Unauthorized, and Unavailable while nobody can tell."""
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise _refusal("Send the header `Authorization: Bearer <token>`; `mizzen up` wrote the token to its context.")
    if token.startswith("mzk_"):
        raise _refusal("This is an API key for models; management needs an administrator's token (mzt_...).")
    # A digest of 256 random bits is looked up, never the token itself: the time it takes tells nothing of use.
    program = plane.secrets.token_digests.get(token_digest(token))
    if program is not None:
        return Subject(program, GRANTED[program])
    subject = await plane.reviewer.subject_of(token) if plane.reviewer is not None else None
    if subject is None:
        raise _refusal("The token is not known here. Use the one of this installation's context file.")
    return subject


def _refusal(detail: str) -> Unauthorized:
    return Unauthorized(detail, headers={"WWW-Authenticate": 'Bearer realm="mizzen"'})


class Allow:
    """The dependency that lets a subject with one of `permissions` pass."""

    def __init__(self, *permissions: Permission) -> None:
        self.permissions = frozenset(permissions)

    async def __call__(self, request: Request) -> Subject:
        """The subject; raises Unauthorized or Forbidden."""
        subject = await authenticate(plane_of(request), request.headers.get("authorization", ""))
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
