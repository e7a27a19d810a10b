"""Keys that a project trusts and the signatures that they made, on the wire."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from mizzen_controlplane.kit.wire import Body, Labels, Resource, ResourceName, example


class SigningKeyCreate(Body):
    """A public key whose signatures count from now on."""

    model_config = example(
        {
            "name": "release",
            "public_key": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
        }
    )

    name: ResourceName
    """Unique in the project, revoked ones included."""
    public_key: Annotated[str, StringConstraints(min_length=1, max_length=4096)]
    """Of ed25519: PEM, or base64 of its 32 bytes. Never a private key."""
    labels: Labels = Field(default_factory=dict)
    """The caller's own."""


class SigningKeyView(Resource):
    """A public key that a project trusts, or has trusted."""

    project: str
    """Name of the project."""
    public_key: str
    """PEM."""
    fingerprint: str
    """`sha256:...` over the key's DER."""
    revoked_at: datetime | None
    """From when on its signatures count no more."""
    created_by: str
    """Who added it."""


class VersionInUse(BaseModel):
    """A version that an alias points at or a deployment names."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    model: str
    """Name of its model."""
    version: int
    """Its number."""
    aliases: list[str]
    """Aliases that point at it."""
    deployments: list[str]
    """Deployments that name it, by its number or one of the aliases."""


class SigningKeyRevoke(Body):
    """How to revoke a key."""

    model_config = example({"dry_run": True})

    dry_run: bool = False
    """Say what leans on the key, and change nothing."""


class SigningKeyRevoked(SigningKeyView):
    """A key that is revoked, or would be, and what leans on it."""

    leaning: list[VersionInUse]
    """Versions in use that no other trusted key has signed."""
    refused: bool
    """The project requires signatures: versions that lean on the key are not served anew from now on."""


class VersionSignatureCreate(Body):
    """A signature of a version."""

    model_config = example(
        {
            "signature": "5VZDAMNgrHKQhuLMgG6CioSHfx645dl02HPgZSJJAVVfuIIVkKM7rMYeOXAc+bRr0lv18FlbviRlUUFDjnoQCw==",
            "key": "release",
        }
    )

    signature: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    """Base64 of the 64 bytes that ed25519 makes of the lines `mizzen-model-version/1`, `model: <model>`,
    `format: <format>` and `digest: <digest>`, each with a newline."""
    key: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    """Id or name of the key that made it; absent: whichever trusted key it is."""


class VersionSignatureView(Resource):
    """A signature of a version; its name is the key's."""

    version: int
    """Number of the version."""
    digest: str
    """Of the version."""
    fingerprint: str
    """Of the key."""
    signature: str
    """Base64."""
    valid: bool
    """The key is trusted."""
    revoked_at: datetime | None
    """When the key was revoked."""
    created_by: str
    """Who posted it."""
