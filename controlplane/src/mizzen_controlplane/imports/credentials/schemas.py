"""Credentials for imports on the wire: what is secret in them goes in, and never comes out."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints

from mizzen_controlplane.kit.wire import Body, Labels, Resource, ResourceName, example

Secret = Annotated[SecretStr, Field(min_length=1, max_length=8192)]
Username = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[!-9;-~][ -9;-~]*$")]
"""Printable ASCII without a colon."""
Host = Annotated[str, StringConstraints(min_length=1, max_length=280, pattern=r"^(https?://)?[^/?#@\s\\]+$")]


class CredentialKind(StrEnum):
    """How it is shown."""

    BEARER = "bearer"
    """`Authorization: Bearer ...`: tokens of Hugging Face, of MLflow and of most others."""
    BASIC = "basic"
    """A name and a password."""
    ACCESS_KEY = "access_key"
    """Id and secret of an access key, which sign requests to S3-compatible stores and are not sent."""


class ImportCredentialCreate(Body):
    """A credential to store."""

    model_config = example(
        {
            "name": "hub",
            "host": "models.example.com",
            "secret": "the-token-of-that-host",
        }
    )

    name: ResourceName
    """Unique in the project."""
    labels: Labels = Field(default_factory=dict)
    """The caller's own."""
    host: Host
    """The one that it is sent to: `host` or `host:port`; `http://host:port` for a trusted one without TLS."""
    kind: CredentialKind = CredentialKind.BEARER
    """How it is shown."""
    username: Username | None = None
    """Of `basic`; of `access_key` its id. Never shown again."""
    secret: Secret
    """The token, password or secret key; never shown again."""


class ImportCredentialPatch(Body):
    """What of a credential may change: all but host and kind, as whoever changes the host would be sent the secret."""

    model_config = example({"secret": "the-next-token-of-that-host"})

    labels: Labels = Field(default_factory=dict)
    """The caller's own."""
    username: Username | None = None
    """Together with a new secret; null for the one there is."""
    secret: Secret | None = None
    """A new one; null for the one there is."""


class ImportCredentialView(Resource):
    """A credential, without what is secret."""

    host: str
    """The one that it is sent to."""
    kind: CredentialKind
    """How it is shown."""
