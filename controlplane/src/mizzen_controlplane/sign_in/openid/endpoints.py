"""Routes of signing in at an OpenID provider: public, as whoever comes is known by nothing yet."""

import time
from typing import Annotated

from fastapi import Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from mizzen_controlplane.kit.cookie_session import cookie_name
from mizzen_controlplane.kit.plane import Plane, ThePlane
from mizzen_controlplane.kit.problem import Forbidden
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.sign_in.auth_endpoints import FROM_OWN_PAGE, PUBLIC, caller_of, set_session_cookie, signed_in
from mizzen_controlplane.sign_in.openid import signing_in
from mizzen_controlplane.sign_in.openid.attempts import LASTS_SECONDS, cookie_of, opened
from mizzen_controlplane.sign_in.openid.signing_in import Returned
from mizzen_controlplane.sign_in.schemas import SignedIn, TokenExchange
from mizzen_controlplane.sign_in.sessions import Kind

router = api_router("sign-in")
PROVIDER = "/auth/providers/{provider}"
Named = Annotated[str, Path(max_length=63, description="Name of the provider, as /auth/ways tells it.")]
Given = Annotated[str, Query(max_length=4096)]


@router.get(PROVIDER + "/start", dependencies=[PUBLIC], status_code=303, response_class=RedirectResponse)
async def start_signing_in(
    provider: Named,
    plane: ThePlane,
    return_to: Annotated[str, Query(max_length=1024, description="Path to go to afterwards.")] = "",
) -> Response:
    """Send a browser to the provider."""
    url, attempt = await signing_in.begin(plane, provider, return_to)
    response = RedirectResponse(url, 303, {"Cache-Control": "no-store"})
    secure = plane.settings.is_secure
    response.set_cookie(
        cookie_name(cookie_of(attempt.state), secure=secure), attempt.sealed(plane.secrets.page_key),
        max_age=LASTS_SECONDS, path="/", secure=secure, httponly=True, samesite="lax",
    )  # fmt: skip
    return response


@router.get(PROVIDER + "/callback", dependencies=[PUBLIC], status_code=303, response_class=RedirectResponse)
async def come_back_from_the_provider(
    provider: Named, plane: ThePlane, request: Request, state: Given, code: Given = "", iss: Given = "",
    error: Given = "",
) -> Response:  # fmt: skip
    """Take a browser back from the provider, and begin its session."""
    name = _cookie(plane, state)
    attempt = opened(plane.secrets.page_key, request.cookies.get(name, ""), provider, state, time.time())
    if attempt is None:
        raise Forbidden(
            "This browser has begun no such attempt to sign in, or more than 10 minutes ago. Begin anew.",
            code="no_such_attempt",
        )
    begun = await signing_in.complete(plane, attempt, Returned(code, iss, error), caller_of(request, Kind.BROWSER))
    response = RedirectResponse(attempt.return_to, 303)
    set_session_cookie(plane, begun, response)
    response.delete_cookie(name, secure=plane.settings.is_secure, httponly=True, samesite="lax")
    return response


@router.post(PROVIDER + "/exchange", dependencies=[PUBLIC, FROM_OWN_PAGE])
async def exchange_token(
    provider: Named, body: TokenExchange, plane: ThePlane, request: Request, response: Response
) -> SignedIn:
    """Begin a session of the command line with the ID token of its device flow; each token does so once."""
    refresh = body.refresh_token.get_secret_value() if body.refresh_token is not None else None
    caller = caller_of(request, Kind.COMMAND_LINE)
    begun = await signing_in.exchange(plane, provider, body.id_token.get_secret_value(), refresh, caller)
    return signed_in(plane, begun, response)


def _cookie(plane: Plane, state: str) -> str:
    return cookie_name(cookie_of(state), secure=plane.settings.is_secure)
