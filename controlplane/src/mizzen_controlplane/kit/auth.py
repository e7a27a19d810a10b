"""Who calls, and whether they may: every route names the permission it needs; one without cannot be declared."""

from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Request

from mizzen_controlplane.kit.cookie_session import require_own_page
from mizzen_controlplane.kit.permission import Permission
from mizzen_controlplane.kit.place import place_of
from mizzen_controlplane.kit.plane import plane_of
from mizzen_controlplane.kit.problem import Forbidden, Unauthorized
from mizzen_controlplane.kit.request_rates import Rate, too_often
from mizzen_controlplane.kit.secret_folder import token_digest
from mizzen_controlplane.kit.subject import GRANTED, Subject

__all__ = ["PUBLIC_PATHS", "Admin", "Allow", "Permission", "Public", "Subject", "authenticate"]


async def authenticate(request: Request) -> Subject:
    """Who sent `request`, asked once; raises Unauthorized, and Unavailable while nobody can tell."""
    known: Subject | None = getattr(request.state, "subject", None)
    if known is None:
        known = request.state.subject = await _recognized(request)
        _count(request, known)
    return known


def _count(request: Request, subject: Subject) -> None:
    """Raises TooManyRequests for who asks too often; programs ask by routes of their own, as often as they must."""
    requests: Rate | None = getattr(request.app.state, "requests", None)
    if requests is None or not request.url.path.startswith("/api/"):
        return
    if wait := requests.wait(subject.principal):
        raise too_often(
            wait, f"{subject.principal} asks more often than MIZZEN_REQUESTS_PER_SECOND allows. Ask less often."
        )
    requests.spend(subject.principal)


async def _recognized(request: Request) -> Subject:
    plane = plane_of(request)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip() if scheme.lower() == "bearer" else ""
    if token.startswith("mzk_"):
        raise _refusal("This is an API key for models; management needs an administrator's token (mzt_...).")
    # A digest of 256 random bits is looked up, never the token itself: the time it takes tells nothing of use.
    program = plane.secrets.token_digests.get(token_digest(token)) if token else None
    if program is not None:
        return Subject(program, GRANTED[program])
    for recognize in plane.recognizers:
        subject = await recognize(plane, request)
        if subject is not None:
            return subject
    if not token:
        raise _refusal("Send the header `Authorization: Bearer <token>`; `mizzen up` wrote the token to its context.")
    subject = await plane.reviewer.subject_of(token) if plane.reviewer is not None else None
    if subject is None:
        raise _refusal("The token is not known here, or no longer. Use that of the context file.")
    return subject


def _refusal(detail: str) -> Unauthorized:
    return Unauthorized(detail, headers={"WWW-Authenticate": 'Bearer realm="mizzen"'})


class Allow:
    """The dependency that lets a subject pass that holds `permission` where the route's path leads."""

    def __init__(self, permission: Permission, *, anywhere: bool = False) -> None:
        self.permission = permission
        self.anywhere = anywhere
        """Everybody passes, and the subject's `reach` says for which projects the route may answer."""

    async def __call__(self, request: Request) -> Subject:
        """The subject; raises Unauthorized, Forbidden or Hidden."""
        subject = await authenticate(request)
        require_own_page(request)
        if self.permission in subject.permissions:
            return subject
        plane = plane_of(request)
        if subject.is_program or plane.authority is None:
            raise Forbidden(
                f"The token of {subject.name} does not carry the permission {self.permission} that this needs."
            )
        if self.anywhere:
            return replace(subject, reach=await plane.authority.reach(plane, subject, self.permission))
        await plane.authority.admit(plane, subject, self.permission, place_of(request))
        return subject


class Public:
    """The dependency of a route that needs no subject; its path must be in PUBLIC_PATHS."""

    def __call__(self) -> None:
        """Let anyone pass."""


PUBLIC_PATHS = frozenset(
    {
        "/healthz",
        "/readyz",
        "/metrics",
        "/auth/ways",
        "/auth/password",
        "/auth/providers/{provider}/start",
        "/auth/providers/{provider}/callback",
        "/auth/providers/{provider}/exchange",
    }
)
"""Every route that needs no subject."""

Person = Annotated[Subject, Depends(Allow(Permission.SELF))]
"""Whoever signed in, or manages, asking about themselves."""

Admin = Annotated[Subject, Depends(Allow(Permission.MANAGE))]
"""A platform administrator, for the signature of an endpoint whose act has no permission of its own."""
