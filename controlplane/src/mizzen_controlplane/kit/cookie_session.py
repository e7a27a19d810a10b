"""What does a request present to say who calls? Its Authorization header or, without one, a browser's session cookie.

A browser sends its cookie with whatever any page makes it send. So a write that comes by a cookie must also carry what
another site's page cannot know: the header X-CSRF-Token, which the sign-in and `/api/v1/me` tell.
"""

import hmac

from fastapi import Request

from mizzen_controlplane.kit.plane import plane_of
from mizzen_controlplane.kit.problem import Forbidden

CSRF_HEADER = "X-CSRF-Token"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


def cookie_name(name: str, *, secure: bool) -> str:
    """Name of a cookie; over TLS with the prefix that keeps it to this host, whole path and TLS."""
    return f"__Host-mizzen-{name}" if secure else f"mizzen-{name}"


def session_cookie(request: Request) -> str:
    """The session's secret as the browser sent it; empty where the request comes without, or with a header instead."""
    if request.headers.get("authorization"):
        return ""
    return request.cookies.get(cookie_name("session", secure=plane_of(request).settings.is_secure), "")


def bearer_token(request: Request) -> str:
    """The token of the Authorization header; empty for another scheme, or none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def presented(request: Request) -> str:
    """The Authorization header, or the session cookie; empty for neither. No two callers present the same."""
    cookie = session_cookie(request)
    return f"cookie {cookie}" if cookie else request.headers.get("authorization", "")


def csrf_token(page_key: bytes, cookie: str) -> str:
    """What writes by this cookie carry besides."""
    return hmac.digest(page_key, b"csrf\0" + cookie.encode(), "sha256").hex()


def require_own_page(request: Request) -> None:
    """Raise Forbidden for a write by cookie that a page of another site may have caused."""
    cookie = session_cookie(request)
    if not cookie or request.method in _READS:
        return
    wanted = csrf_token(plane_of(request).secrets.page_key, cookie)
    if not hmac.compare_digest(wanted.encode(), request.headers.get(CSRF_HEADER, "").encode()):
        raise Forbidden(
            f"A write with a session cookie needs the header {CSRF_HEADER}, the `csrf_token` told at sign-in.",
            code="csrf_token_needed",
        )
