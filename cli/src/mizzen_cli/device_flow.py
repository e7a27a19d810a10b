"""How does the command line get a token of an OpenID provider? The person confirms a code in any browser (RFC 8628)."""

import base64
import hashlib
import secrets
import ssl
import time
from collections.abc import Callable
from typing import Any, Final

import httpx

from mizzen_cli.errors import CommandError, ExitCode

Json = dict[str, Any]
GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
DEFAULT_INTERVAL: Final = 5
SLOWER: Final = 5
"""Seconds that each slow_down adds (RFC 8628, 3.5)."""


class DeviceFlow:
    """One attempt at one provider."""

    def __init__(
        self, way: Json, http: httpx.Client, wait: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """`way`: what the control plane tells of it, with issuer, device_client_id and scopes."""
        self._way, self._http, self._wait, self._clock = way, http, wait, clock
        self._verifier = secrets.token_urlsafe(48)

    def tokens(self, tell: Callable[[Json], None]) -> Json:
        """The token answer; `tell` shows the person where to go. Raises CommandError where nothing comes of it."""
        document = self._document()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self._verifier.encode()).digest()).rstrip(b"=").decode()
        form = {"scope": " ".join(self._way["scopes"]), "code_challenge": challenge, "code_challenge_method": "S256"}
        status, code = self._post(document, "device_authorization_endpoint", form)
        if status != 200 or not {"device_code", "user_code", "verification_uri", "expires_in"} <= code.keys():
            raise CommandError(f"{self._way['name']} begins no sign-in by a code: {_said(code, status)}.")
        tell(code)
        return self._polled(document, code)

    def _polled(self, document: Json, code: Json) -> Json:
        interval = float(code.get("interval") or DEFAULT_INTERVAL)
        until = self._clock() + float(code["expires_in"])
        form = {"grant_type": GRANT, "device_code": code["device_code"], "code_verifier": self._verifier}
        while self._clock() + interval < until:
            self._wait(interval)
            try:
                status, answer = self._post(document, "token_endpoint", form)
            except httpx.TimeoutException:
                interval *= 2
                continue
            if status == 200 and isinstance(answer.get("id_token"), str):
                return answer
            error = answer.get("error")
            if error == "slow_down":
                interval += SLOWER
            elif error == "expired_token":
                break
            elif error != "authorization_pending":
                raise CommandError(f"{self._way['name']} let nobody in: {_said(answer, status)}.")
        raise CommandError("The code was not confirmed in time; run `mizzen login` again.", ExitCode.TIMED_OUT)

    def _document(self) -> Json:
        issuer = self._way["issuer"]
        found = self._read(self._http.get(_safe(issuer.rstrip("/") + "/.well-known/openid-configuration")))
        if found.get("issuer") != issuer:
            raise CommandError(f"{issuer} calls itself {found.get('issuer')!r}; an administrator must correct that.")
        return found

    def _post(self, document: Json, endpoint: str, form: Json) -> tuple[int, Json]:
        url = document.get(endpoint)
        if not isinstance(url, str):
            raise CommandError(
                f"{self._way['name']} has no {endpoint}; sign in by another way (--provider, --password)."
            )
        response = self._http.post(_safe(url), data={**form, "client_id": self._way["device_client_id"]})
        return response.status_code, self._read(response)

    @staticmethod
    def _read(response: httpx.Response) -> Json:
        try:
            body = response.json()
        except ValueError:
            body = None
        return body if isinstance(body, dict) else {}


def id_token_of(way: Json, tell: Callable[[Json], None]) -> Json:
    """The provider's token answer. Raises CommandError. SSL_CERT_FILE names authorities that the system lacks."""
    try:
        with httpx.Client(timeout=20, trust_env=True, verify=ssl.create_default_context()) as http:
            return DeviceFlow(way, http).tokens(tell)
    except httpx.HTTPError as error:
        raise CommandError(
            f"{way['issuer']} does not answer ({type(error).__name__}).", ExitCode.UNREACHABLE
        ) from error


def _safe(url: str) -> str:
    parts = httpx.URL(url)
    if parts.scheme != "https" and parts.host not in ("127.0.0.1", "localhost", "::1"):
        raise CommandError(f"{url} is not asked without TLS; an administrator must give the provider an https:// URL.")
    return url


def _said(answer: Json, status: int) -> str:
    return str(answer.get("error_description") or answer.get("error") or status)[:300]
