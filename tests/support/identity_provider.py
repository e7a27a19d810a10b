"""A small OpenID provider inside the test, which signs what a test wants, also what no provider should."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

RSA = RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig", "alg": "RS256"})
"""Made once: it takes a while."""
CLIENT, DEVICE_CLIENT, AUDIENCE = "mizzen", "mizzen-cli", "mizzen-api"
CLIENT_SECRET = "a secret of the provider's client"


@dataclass
class IdentityProvider:
    """What it knows, and what it was asked."""

    url: str = ""
    keys: list[RSAKey | ECKey | OKPKey] = field(default_factory=lambda: [RSA])
    """Those that it publishes."""
    asked: list[str] = field(default_factory=list)
    """Paths, in order."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    """Code -> what it was asked with."""
    refreshable: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Refresh token -> claims."""
    person: dict[str, Any] = field(default_factory=lambda: {"sub": "ada"})
    """Claims of whoever sits at the browser."""
    id_claims: dict[str, Any] = field(default_factory=dict)
    """What the next ID tokens say instead."""
    away: bool = False

    def token(self, key: RSAKey | ECKey | OKPKey = RSA, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """An access token for programs, which claims change; a claim that is None is left out."""
        return signed(key, header or {}, {"aud": AUDIENCE, **self._times(), **claims})

    def id_token(self, client: str, **claims: Any) -> str:
        """A token that tells who signed in."""
        said = {"aud": client, "azp": client, "typ": "ID", **self._times(), **self.person, **claims, **self.id_claims}
        return signed(RSA, {}, said)

    def _times(self) -> dict[str, Any]:
        now = int(time.time())
        return {"iss": self.url, "iat": now, "exp": now + 300, "jti": secrets.token_hex(8)}

    def document(self) -> dict[str, Any]:
        """Its discovery document."""
        names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys",
                 "device_authorization_endpoint": "device"}  # fmt: skip
        return {
            "issuer": self.url,
            "authorization_response_iss_parameter_supported": True,
            **{name: f"{self.url}/{path}" for name, path in names.items()},
        }

    def authorize(self, query: dict[str, str]) -> str:
        """The person says yes: where the browser goes next."""
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        return query["redirect_uri"] + "?" + urlencode({"code": code, "state": query["state"], "iss": self.url})

    def redeem(self, form: dict[str, str], client: str) -> tuple[int, dict[str, Any]]:
        """Answer the token endpoint."""
        if form["grant_type"] == "refresh_token":
            claims = self.refreshable.pop(form["refresh_token"], None)
            return (400, {"error": "invalid_grant"}) if claims is None else (200, self._tokens(client, {}))
        asked = self.codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        if asked is None or asked["code_challenge"] != challenge.decode() or client != asked["client_id"]:
            return 400, {"error": "invalid_grant"}
        return 200, self._tokens(client, {"nonce": asked["nonce"]})

    def _tokens(self, client: str, claims: dict[str, Any]) -> dict[str, Any]:
        refresh = secrets.token_urlsafe(16)
        self.refreshable[refresh] = dict(self.person)
        return {"token_type": "Bearer", "id_token": self.id_token(client, **claims), "refresh_token": refresh}


def signed(key: RSAKey | ECKey | OKPKey, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A JWT."""
    algorithm = {"RSA": "RS256", "EC": "ES256", "OKP": "Ed25519"}[key.key_type]
    given = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": algorithm, "kid": key.kid, **header}, given, key, algorithms=[algorithm])


def unsigned(claims: dict[str, Any]) -> str:
    """A JWT with the algorithm `none`."""
    return ".".join([coded({"alg": "none"}), coded(claims), ""])


def coded(part: dict[str, Any]) -> str:
    """A part of a JWT."""
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


@contextmanager
def identity_provider() -> Iterator[IdentityProvider]:
    """One that runs."""
    provider = IdentityProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            provider.asked.append(parts.path)
            if parts.path == "/authorize":
                self._answer(302, {}, provider.authorize({k: v[0] for k, v in parse_qs(parts.query).items()}))
                return
            found = {"/keys": {"keys": [key.as_dict(private=False) for key in provider.keys]},
                     "/.well-known/openid-configuration": provider.document()}.get(parts.path)  # fmt: skip
            self._answer(503 if provider.away else 404 if found is None else 200, found or {})

        def do_POST(self) -> None:
            provider.asked.append(self.path)
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(text).items()}
            scheme, _, given = self.headers.get("Authorization", "").partition(" ")
            client = form.get("client_id", "")
            if scheme == "Basic":
                client = base64.b64decode(given).decode().partition(":")[0]
            self._answer(*((503, {}) if provider.away else provider.redeem(form, client)))

        def _answer(self, status: int, body: dict[str, Any], location: str = "") -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.send_header("Content-Type", "application/json")
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            """Tests read what it was asked."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
