"""Which OpenID providers does this installation believe? The file MIZZEN_SIGN_IN_FILE says, and is read at start."""

import ipaddress
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.alias_generators import to_camel

from mizzen_controlplane.kit.settings import SettingsError
from mizzen_controlplane.kit.wire import ResourceName

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
"""Signatures by a private key alone: never `none`, nor an HMAC, whose key a published public key could be taken for."""
TAKEN: Final = frozenset({"local"})
"""Names of ways that are no provider's."""
_Text = Annotated[str, StringConstraints(min_length=1, max_length=512)]


def check_url(url: str) -> str:
    """The URL; raises ValueError for one that others on the network could answer in the provider's stead."""
    parts = urlsplit(url)
    if parts.query or parts.fragment or parts.username:
        raise ValueError(f"{url!r} must be https://host/path, without a query or a name in it")
    return check_encrypted(url)


def check_encrypted(url: str) -> str:
    """The URL; raises ValueError for one that is asked without TLS, except of this machine itself."""
    parts = urlsplit(url)
    if not parts.hostname or (
        parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname))
    ):
        raise ValueError(f"{url!r} must begin with https://; without TLS only this machine itself is believed")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _beside(path: Path, info: ValidationInfo) -> Path:
    folder: Path = (info.context or {}).get("folder", Path())
    return folder / path


_Url = Annotated[str, AfterValidator(check_url)]
_File = Annotated[Path, AfterValidator(_beside)]
"""Absolute, or beside the file that names it."""


class Provider(BaseModel):
    """One OpenID provider, known by its issuer."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)

    name: ResourceName
    title: str = ""
    """For a button."""
    issuer: _Url
    """As its tokens write it, to the letter."""
    client_id: str = ""
    """Who this installation is there, for people in a browser; empty: nobody signs in here by a browser."""
    client_secret_file: _File | None = None
    """None: a public client, which PKCE alone protects."""
    device_client_id: str = ""
    """Who the command line is there, a public client with the device flow; empty: no sign-in by the command line."""
    audiences: frozenset[_Text] = frozenset()
    """Programs call with tokens that the provider made for one of these; empty: with none."""
    scopes: tuple[_Text, ...] = ("openid", "profile", "email")
    """What is asked for when people sign in; one with `offline_access` outlives the provider's own session."""
    groups_claim: _Text = "groups"
    admin_groups: frozenset[_Text] = frozenset()
    """Whoever is in one of them may do everything."""
    admin_subjects: frozenset[_Text] = frozenset()
    """So may whom the provider knows by one of these."""
    algorithms: tuple[Algorithm, ...] = Field(default=("RS256",), min_length=1)
    jwks_url: _Url | None = None
    """Where its keys are; None: where its discovery document says."""
    jwks_token_file: _File | None = None
    """Token to ask for the keys with, as a Kubernetes API server wants."""
    ca_file: _File | None = None
    """Authority of its certificate; None: those that the machine trusts."""
    confirm_seconds: int = Field(default=300, ge=10, le=86_400)
    """How often the provider is asked whether somebody who signed in still may."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.name in TAKEN:
            raise ValueError(f"the name {self.name!r} is taken")
        if not (self.client_id or self.device_client_id or self.audiences):
            raise ValueError("nobody could sign in: give clientId, deviceClientId or audiences")
        if self.audiences & {self.client_id, self.device_client_id}:
            # Else what proves to this installation who signed in would open it, wherever it was logged.
            raise ValueError("audiences must differ from clientId and deviceClientId")
        if "openid" not in self.scopes:
            raise ValueError("scopes must have openid")
        return self

    def makes_admin(self, subject: str, groups: frozenset[str]) -> bool:
        """Whether somebody may do everything here."""
        return subject in self.admin_subjects or not groups.isdisjoint(self.admin_groups)

    @property
    def files(self) -> list[Path]:
        """All that it names."""
        named = (self.client_secret_file, self.jwks_token_file, self.ca_file)
        return [path for path in named if path is not None]

    @property
    def client_secret(self) -> str:
        """Read anew each time, so that a rotated one is taken up; empty for a public client. Raises OSError."""
        return self.client_secret_file.read_text().strip() if self.client_secret_file is not None else ""


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    providers: tuple[Provider, ...]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for what in ("name", "issuer"):
            values = [getattr(provider, what) for provider in self.providers]
            if len(values) != len(set(values)):
                raise ValueError(f"two providers have the same {what}")
        return self


def read_providers(path: Path) -> tuple[Provider, ...]:
    """The providers of the file, in its order; raises SettingsError naming the field and the remedy."""
    try:
        body = yaml.safe_load(path.read_text()) or {"providers": []}
        found = _Document.model_validate(body, context={"folder": path.parent}).providers
        for named in (named for provider in found for named in provider.files):
            named.read_bytes()
    except ValidationError as error:
        wrong = "; ".join(f"{_place(each['loc'])}{each['msg']}" for each in error.errors()[:5])
        raise SettingsError(f"MIZZEN_SIGN_IN_FILE {path}: {wrong}. See docs/how-to/sign-in.md.") from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SettingsError(f"MIZZEN_SIGN_IN_FILE {path} cannot be read: {error}.") from error
    return found


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) + ": " if location else ""
