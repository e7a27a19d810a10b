"""Routes of signing in and out: public, but for the way out."""

from fastapi import Depends, Request, Response

from mizzen_controlplane.kit.auth import Person, Public
from mizzen_controlplane.kit.cookie_session import cookie_name, csrf_token
from mizzen_controlplane.kit.plane import Plane, ThePlane
from mizzen_controlplane.kit.problem import Forbidden
from mizzen_controlplane.kit.request_context import current_address
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.sign_in import local_accounts, sessions
from mizzen_controlplane.sign_in.local_accounts import Credentials
from mizzen_controlplane.sign_in.openid.provider import known_providers
from mizzen_controlplane.sign_in.openid.providers import Provider
from mizzen_controlplane.sign_in.schemas import PasswordSignIn, SignedIn, WaysToSignIn, WayToSignIn
from mizzen_controlplane.sign_in.sessions import Begun, Caller, Kind

router = api_router("sign-in")
PUBLIC = Depends(Public())


def from_own_page(request: Request) -> None:
    """Raise Forbidden where a browser says that another site's page sent this: it would sign its victim in."""
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise Forbidden("A page of another site may not sign anybody in here.", code="cross_site")


FROM_OWN_PAGE = Depends(from_own_page)


@router.get("/auth/ways", dependencies=[PUBLIC])
async def list_ways_to_sign_in(plane: ThePlane) -> WaysToSignIn:
    """List the ways to sign in."""
    ways = [_way(provider.settings) for provider in known_providers(plane)]
    local = WayToSignIn(name="local", title="Local account", kind="password", browser=True, device=False)
    return WaysToSignIn(items=[*(way for way in ways if way.browser or way.device), local])


def _way(provider: Provider) -> WayToSignIn:
    return WayToSignIn(
        name=provider.name, title=provider.title or provider.name, kind="openid", issuer=provider.issuer,
        browser=bool(provider.client_id), device=bool(provider.device_client_id),
        device_client_id=provider.device_client_id, scopes=list(provider.scopes),
    )  # fmt: skip


@router.post("/auth/password", dependencies=[PUBLIC, FROM_OWN_PAGE])
async def sign_in_by_password(body: PasswordSignIn, plane: ThePlane, request: Request, response: Response) -> SignedIn:
    """Sign in to a local account: the answer sets a cookie or, for the command line, holds a token."""
    new = body.new_password.get_secret_value() if body.new_password is not None else None
    given = Credentials(body.username, body.password.get_secret_value(), new)
    begun = await local_accounts.sign_in(plane, given, caller_of(request, body.kind))
    return signed_in(plane, begun, response)


@router.post("/auth/sign-out", status_code=204)
async def sign_out(plane: ThePlane, subject: Person, response: Response) -> None:
    """End the session that the request came by."""
    if subject.session_id:
        await sessions.end(plane, subject, subject.session_id)
    secure = plane.settings.is_secure
    response.delete_cookie(cookie_name("session", secure=secure), secure=secure, httponly=True, samesite="lax")


def caller_of(request: Request, kind: Kind) -> Caller:
    """Where somebody signs in from."""
    return Caller(kind, current_address(), request.headers.get("user-agent", ""))


def signed_in(plane: Plane, begun: Begun, response: Response) -> SignedIn:
    """The answer to a sign-in; a browser's secret goes into its cookie alone."""
    in_browser = begun.session.kind == Kind.BROWSER
    if in_browser:
        set_session_cookie(plane, begun, response)
    return SignedIn(
        session_id=begun.session.id,
        principal=f"person:{begun.person.id}",
        name=begun.person.name,
        gateway_url=plane.settings.gateway_url,
        expires_at=begun.session.expires_at,
        csrf_token=csrf_token(plane.secrets.page_key, begun.secret) if in_browser else None,
        token=None if in_browser else begun.secret,
    )


def set_session_cookie(plane: Plane, begun: Begun, response: Response) -> None:
    """Lax, not Strict: the way back from a provider and a link in a mail come from another site."""
    secure = plane.settings.is_secure
    response.set_cookie(
        cookie_name("session", secure=secure), begun.secret, max_age=plane.settings.session_seconds,
        path="/", secure=secure, httponly=True, samesite="lax",
    )  # fmt: skip
    response.headers["Cache-Control"] = "no-store"
