"""One OpenID provider: its discovery document and keys, kept for an hour, and what it is asked for."""

import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import quote

from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import NotFound
from mizzen_controlplane.sign_in.openid.claims import TokenRefusedError, unverified, verified
from mizzen_controlplane.sign_in.openid.known_keys import KnownKeys
from mizzen_controlplane.sign_in.openid.provider_http import ProviderError, ProviderHttp
from mizzen_controlplane.sign_in.openid.providers import Provider, check_encrypted, read_providers

DISCOVERY: Final = "/.well-known/openid-configuration"
FRESH_SECONDS: Final = 3600.0
_KEPT: Final = "openid providers"


class OpenIdProvider:
    """A provider that this installation believes."""

    def __init__(self, settings: Provider) -> None:
        self.settings = settings
        self.http = ProviderHttp(settings)
        self._keys = KnownKeys(self._fetch_keys)
        self._document: Mapping[str, Any] = {}
        self._fetched_at = -FRESH_SECONDS

    async def claims(self, token: str, audiences: Collection[str]) -> dict[str, Any]:
        """Verified claims of a token; raises TokenRefusedError, ProviderError."""
        said = unverified(token)
        if said is None or said.issuer != self.settings.issuer:
            raise TokenRefusedError(f"This is no token of {self.settings.name}.")
        if said.algorithm not in self.settings.algorithms:
            raise TokenRefusedError(
                f"The token is signed with {said.algorithm[:20]!r}; of {self.settings.name} only "
                f"{', '.join(self.settings.algorithms)} is taken (algorithms of MIZZEN_SIGN_IN_FILE)."
            )
        key = await self._keys.key(said.key_id, said.algorithm)
        return verified(token, key, self.settings, audiences, time.time())

    async def endpoint(self, name: str) -> str:
        """URL of an endpoint, such as `token_endpoint`; raises ProviderError."""
        url = (await self.document()).get(name)
        if not isinstance(url, str):
            raise ProviderError(f"The discovery document of {self.settings.name} has no {name}.")
        try:
            return check_encrypted(url)
        except ValueError as error:
            raise ProviderError(f"{name} of {self.settings.name}: {error}.") from error

    async def ask_for_tokens(self, form: Mapping[str, str], client_id: str) -> dict[str, Any]:
        """The answer of the token endpoint; raises RefusedByProviderError, ProviderError."""
        url, secret = await self.endpoint("token_endpoint"), self._secret_of(client_id)
        if not secret:
            return await self.http.post(url, {**form, "client_id": client_id}, {})
        methods = (await self.document()).get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if "client_secret_basic" not in methods:
            return await self.http.post(url, {**form, "client_id": client_id, "client_secret": secret}, {})
        return await self.http.post(url, form, {"Authorization": _basic(client_id, secret)})

    async def document(self) -> Mapping[str, Any]:
        """The discovery document; raises ProviderError. A stale one is better than none."""
        if time.monotonic() - self._fetched_at >= FRESH_SECONDS:
            try:
                self._document = self._own(await self.http.get(self.settings.issuer.rstrip("/") + DISCOVERY))
            except ProviderError:
                if not self._document:
                    raise
            self._fetched_at = time.monotonic()
        return self._document

    def _own(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        if document.get("issuer") != self.settings.issuer:
            raise ProviderError(
                f"The provider calls itself {str(document.get('issuer'))[:200]!r}; MIZZEN_SIGN_IN_FILE has "
                f"{self.settings.issuer!r} as issuer. Write it as the provider does."
            )
        return document

    async def _fetch_keys(self) -> Mapping[str, Any]:
        path = self.settings.jwks_token_file
        try:
            token = path.read_text().strip() if path is not None else ""
        except OSError as error:
            raise ProviderError(f"{path} cannot be read ({error.strerror}).") from error
        return await self.http.get(self.settings.jwks_url or await self.endpoint("jwks_uri"), token)

    def _secret_of(self, client_id: str) -> str:
        if client_id != self.settings.client_id:
            return ""
        try:
            return self.settings.client_secret
        except OSError as error:
            raise ProviderError(f"{self.settings.client_secret_file} cannot be read ({error.strerror}).") from error


def _basic(client_id: str, secret: str) -> str:
    from aiohttp import encode_basic_auth  # as in provider_http

    return encode_basic_auth(quote(client_id, safe=""), quote(secret, safe=""))


@asynccontextmanager
async def providers_known(plane: Plane) -> AsyncIterator[None]:
    """Reads the file of providers at start; their connections close at the end. Raises SettingsError."""
    path = plane.settings.sign_in_file
    known = [OpenIdProvider(settings) for settings in (read_providers(path) if path is not None else ())]
    plane.kept[_KEPT] = known
    try:
        yield
    finally:
        for provider in known:
            await provider.http.close()


def known_providers(plane: Plane) -> list[OpenIdProvider]:
    """All providers, in the order of the file."""
    found: list[OpenIdProvider] = plane.kept.get(_KEPT, [])
    return found


def provider_named(plane: Plane, name: str) -> OpenIdProvider:
    """The provider of that name; raises NotFound."""
    for provider in known_providers(plane):
        if provider.settings.name == name:
            return provider
    raise NotFound(f"There is no way to sign in named {name!r}: see /auth/ways.", code="provider_not_found")
