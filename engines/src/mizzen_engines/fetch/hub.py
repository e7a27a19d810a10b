"""How is a model on the Hugging Face hub read? Its library lists the files; their bytes come as from any website."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError
from yarl import URL

from mizzen_engines.failure import EngineStartError, ExitCode
from mizzen_engines.fetch.http_file import HttpReader
from mizzen_engines.fetch.source import Body, Listing, RemoteFile, TransferBrokenError

PASSED_OVER = (".git", ".md", ".png", ".jpg")


class HubSource:
    """hf://organization/repository@revision."""

    def __init__(self, reader: HttpReader, reference: str, token: str) -> None:
        self._reader = reader
        self._repository, _, revision = reference.partition("@")
        self._revision = revision or "main"
        self._token = token

    async def listing(self) -> Listing:
        """Files of the revision, which is pinned to its commit for all that follows."""
        try:
            info = await asyncio.to_thread(
                HfApi(token=self._token or False).model_info,
                self._repository,
                revision=self._revision,
                files_metadata=True,
            )
        except (RepositoryNotFoundError, RevisionNotFoundError) as error:
            raise EngineStartError(
                ExitCode.NOT_FOUND, f"hf://{self._repository}@{self._revision} does not exist or is not public."
            ) from error
        except GatedRepoError as error:
            raise EngineStartError(
                ExitCode.UNAUTHORIZED, f"hf://{self._repository} is gated: name a Secret with a token in spec.model."
            ) from error
        except (HfHubHTTPError, OSError) as error:
            raise TransferBrokenError(f"the hub cannot be reached: {error}") from error
        self._revision = info.sha or self._revision
        kept = [entry for entry in info.siblings or [] if not entry.rfilename.endswith(PASSED_OVER)]
        return Listing(
            tuple(
                RemoteFile(entry.rfilename, entry.size, entry.lfs.sha256 if entry.lfs else "", self._revision)
                for entry in kept
            )
        )

    @asynccontextmanager
    async def read(self, file: RemoteFile, offset: int) -> AsyncIterator[Body]:
        """Open a file of the pinned revision."""
        url = URL(hf_hub_url(self._repository, file.path, revision=self._revision))
        async with self._reader.read(url, offset) as body:
            yield body
