"""Artifacts of an OCI registry whose layers are files, as `oras push` and ModelPack make them: each layer one file."""

import hashlib
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import urlencode

import orjson
from pydantic import BaseModel, Field, ValidationError

from mizzen_controlplane.imports.choosing import chosen
from mizzen_controlplane.imports.credentials.place import place_of
from mizzen_controlplane.imports.origin import Listing, OriginFile, Stream
from mizzen_controlplane.imports.origins.https import WebFiles
from mizzen_controlplane.imports.source import Source
from mizzen_controlplane.imports.web import Web, host_of
from mizzen_controlplane.kit.problem import Invalid, invalid_field

_NAMED = re.compile(r"([a-z0-9][a-z0-9._/-]{0,254})(?::(\w[\w.-]{0,127})|@(sha256:[0-9a-f]{64}))?", re.ASCII)
_CHALLENGE = re.compile(r'(realm|service|scope)="([^"]{0,1024})"', re.IGNORECASE)
_KINDS: Final = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in ("oci.image.manifest.v1", "oci.image.index.v1", "docker.distribution.manifest.v2",
                 "docker.distribution.manifest.list.v2")
)  # fmt: skip
_TITLE: Final = "org.opencontainers.image.title"
_FILEPATH: Final = "org.cncf.model.filepath"
_UNPACK: Final = "io.deis.oras.content.unpack"
TOKEN_SECONDS: Final = 60.0
"""A token lives at least so long, by the registries' protocol."""


class _Descriptor(BaseModel):
    mediaType: str = ""  # noqa: N815 -- the format's name
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)]
    annotations: dict[str, str] | None = None

    @property
    def path(self) -> str:
        """Of the one file that the layer is; empty for an archive of files."""
        said = self.annotations or {}
        if _FILEPATH in said:
            return said[_FILEPATH] if self.mediaType.endswith(".raw") else ""
        return "" if said.get(_UNPACK) == "true" else said.get(_TITLE, "")


class _Manifest(BaseModel):
    layers: list[_Descriptor] | None = None
    manifests: list[_Descriptor] | None = None


class _Token(BaseModel):
    token: str = ""
    access_token: str = ""


class Artifact(NamedTuple):
    """What an oci:// source names."""

    repository: str
    reference: str
    """A tag, or `sha256:...`."""


def artifact_named(source: Source) -> Artifact:
    """Of `oci://host/repository:tag` or `...@sha256:...`; raises Invalid."""
    found = _NAMED.fullmatch(source.path)
    if found is None:
        raise invalid_field(
            "/source",
            "Of a registry an artifact is imported: oci://host/repository:tag, or oci://host/repository@sha256:...",
            code="source_malformed",
        )
    return Artifact(found[1], found[3] or found[2] or "latest")


class Registry(WebFiles):
    """One artifact."""

    def __init__(self, web: Web, source: Source, patterns: Sequence[str]) -> None:
        super().__init__(web)
        self._origin, self._patterns, self._artifact = source.origin, patterns, artifact_named(source)
        self._own = web.authorize
        self._challenge: dict[str, str] = {}
        self._knows_how = False
        self._token, self._asked_at = "", 0.0
        web.authorize = self._shown

    async def listing(self) -> Listing:
        """The files that its layers are, with their digests; raises Problem, and TryLaterError."""
        manifest, digest = await self._manifest(self._artifact.reference)
        if manifest.manifests is not None:
            raise Invalid(
                f"{digest} is an index of several artifacts: name one of them by its digest, "
                f"{', '.join(one.digest for one in manifest.manifests[:5])}.",
                code="artifact_is_an_index",
            )
        layers = manifest.layers or []
        if archive := next((layer for layer in layers if not layer.path), None):
            raise Invalid(
                f"Its layer {archive.digest} is an archive, as those of images are. Artifacts whose layers are files "
                "are imported: `oras push REGISTRY/NAME:TAG model.onnx config.json` makes one.",
                code="artifact_of_archives",
            )
        at = f"{self._origin}/v2/{self._artifact.repository}/blobs/"
        files = (OriginFile(one.path, at + one.digest, one.size, one.digest.removeprefix("sha256:")) for one in layers)
        return chosen(Listing(tuple(files), digest), self._patterns)

    @asynccontextmanager
    async def opened(self, file: OriginFile, first: int, etag: str) -> AsyncIterator[Stream]:
        """The bytes from `first` on."""
        if not self._knows_how:
            await self._manifest(self._artifact.reference)  # another attempt goes on with an earlier one's list
        await self._refreshed()
        async with super().opened(file, first, etag) as stream:
            yield stream

    async def _manifest(self, reference: str) -> tuple[_Manifest, str]:
        """The manifest and its digest, by which its bytes are held."""
        url = f"{self._origin}/v2/{self._artifact.repository}/manifests/{reference}"
        status, content, headers = await self.web.document(url, {"Accept": _KINDS}, fine=frozenset({200, 401}))
        self._knows_how = True
        if status == 401:
            self._challenge = _asked_for(headers.get("WWW-Authenticate", ""))
            await self._refreshed()
            _, content, headers = await self.web.document(url, {"Accept": _KINDS})
        found = f"sha256:{hashlib.sha256(content).hexdigest()}"
        told = reference if reference.startswith("sha256:") else headers.get("Docker-Content-Digest", found)
        if told.startswith("sha256:") and told != found:
            raise Invalid(f"The manifest arrived as {found}, but is {told}.", code="origin_digest_mismatch")
        try:
            return _Manifest.model_validate(orjson.loads(content)), found
        except (orjson.JSONDecodeError, ValidationError) as error:
            raise Invalid(
                f"{host_of(url)} answers with no manifest: check the source.", code="origin_refused"
            ) from error

    async def _refreshed(self) -> None:
        """Have a token that lives, where the registry wants one from its realm."""
        if "realm" not in self._challenge:
            return
        if self._token and time.monotonic() - self._asked_at < TOKEN_SECONDS / 2:
            return
        asked = {name: value for name, value in self._challenge.items() if name != "realm"}
        asked["scope"] = f"repository:{self._artifact.repository}:pull"
        realm = self._challenge["realm"]
        self._token = ""
        said, _ = await self.web.json(f"{realm}{'&' if '?' in realm else '?'}{urlencode(asked)}")
        self._token, self._asked_at = _token_in(said, realm), time.monotonic()

    def _shown(self, url: str) -> Mapping[str, str]:
        """The realm's token for the registry itself; else what is stored for the host."""
        if self._token and place_of(url) == place_of(self._origin):
            return {"Authorization": f"Bearer {self._token}"}
        return self._own(url)


def _asked_for(challenge: str) -> dict[str, str]:
    scheme, _, rest = challenge.partition(" ")
    return {name.lower(): value for name, value in _CHALLENGE.findall(rest)} if scheme.lower() == "bearer" else {}


def _token_in(said: Any, realm: str) -> str:
    try:
        found = _Token.model_validate(said)
    except ValidationError:
        found = _Token()
    token = found.token or found.access_token
    if not token or not token.isascii() or not token.isprintable():
        raise Invalid(f"{host_of(realm)} gives no token for the registry.", code="origin_refused")
    return token
