"""How are a registered version's files read? By the registry's manifest and file routes, with the pod's own token."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

from mizzen_crds.registry import ArtifactManifest
from pydantic import ValidationError
from yarl import URL

from mizzen_engines.failure import EngineStartError, ExitCode
from mizzen_engines.fetch.digest import artifact_digest
from mizzen_engines.fetch.http_file import HttpReader
from mizzen_engines.fetch.source import Body, Listing, RemoteFile


class RegistrySource:
    """mizzen://<version id>."""

    def __init__(self, reader: HttpReader, registry_url: str, version_id: str, files: HttpReader | None = None) -> None:
        """`files` reads the files where they may lie elsewhere than the manifest; by default `reader` does."""
        self._reader = reader
        self._files = files or reader
        base = f"{registry_url.rstrip('/')}/internal/v1/artifacts/{quote(version_id, safe='')}"
        self._manifest_url = URL(base, encoded=True)
        self._base = base

    async def listing(self) -> Listing:
        """The manifest's files; its digest must be that of its lines."""
        async with self._reader.get(self._manifest_url) as response:
            body = await response.read()
        try:
            manifest = ArtifactManifest.model_validate_json(body)
        except ValidationError as error:
            raise EngineStartError(ExitCode.ARTIFACT_WRONG, "the registry's manifest does not parse.") from error
        computed = artifact_digest((file.path, file.size, file.sha256) for file in manifest.files)
        if computed != manifest.digest:
            raise EngineStartError(
                ExitCode.DIGEST_MISMATCH,
                f"the manifest of {manifest.version_id} says {manifest.digest}, its files make {computed}: "
                "push the version again.",
            )
        files = tuple(RemoteFile(file.path, file.size, file.sha256) for file in manifest.files)
        return Listing(files, manifest.digest)

    @asynccontextmanager
    async def read(self, file: RemoteFile, offset: int) -> AsyncIterator[Body]:
        """Open a file of the version at `offset`."""
        # Where the registry keeps its files in a store it may send the fetch there, by a URL signed for it; what comes
        # is held to the digest in either case.
        url = URL(f"{self._base}/files/{quote(file.path, safe='/')}?direct=true", encoded=True)
        async with self._files.read(url, offset) as body:
            yield body
