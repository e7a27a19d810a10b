"""How are weights in an object store read? Every object below the prefix, through obstore."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, NotFoundError, PermissionDeniedError, UnauthenticatedError
from obstore.store import ObjectStore

from mizzen_engines.failure import EngineStartError, ExitCode
from mizzen_engines.fetch.source import Body, Listing, RemoteFile, TransferBrokenError

if TYPE_CHECKING:
    from obstore import GetResult  # exists for type checkers alone

READ_BYTES = 1024 * 1024


def open_store(url: str, settings: Mapping[str, str]) -> ObjectStore:
    """The store behind s3://, gs:// or az://, with obstore's own names of settings."""
    config = dict(settings)
    if url.startswith("s3://") and not config:
        config = {"skip_signature": "true"}  # without a Secret, as anybody: never with the machine's own identity
    return obstore.store.from_url(url, config=config)  # type: ignore[call-overload,no-any-return]  # settings are checked by obstore


class ObjectStoreSource:
    """s3://bucket/prefix, gs://bucket/prefix, az://container/prefix."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def listing(self) -> Listing:
        """Every object below the prefix."""
        files = []
        try:
            async for batch in obstore.list(self._store):
                files += [RemoteFile(m["path"], m["size"], mark=m["e_tag"] or "") for m in batch if m["size"]]
        except BaseError as error:
            raise _translated(error) from error
        if not files:
            raise EngineStartError(ExitCode.NOT_FOUND, "no object lies below the prefix: check spec.model.uri.")
        return Listing(tuple(files))

    @asynccontextmanager
    async def read(self, file: RemoteFile, offset: int) -> AsyncIterator[Body]:
        """Open an object at `offset`."""
        try:
            result = await obstore.get_async(self._store, file.path, options={"range": {"offset": offset}})
            yield Body(offset, _chunks(result))
        except BaseError as error:
            raise _translated(error) from error


async def _chunks(result: "GetResult") -> AsyncIterator[bytes]:
    async for chunk in result.stream(min_chunk_size=READ_BYTES):
        yield bytes(chunk)


def _translated(error: BaseError) -> Exception:
    if isinstance(error, NotFoundError):
        return EngineStartError(ExitCode.NOT_FOUND, "the object store has no such object: check spec.model.uri.")
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return EngineStartError(
            ExitCode.UNAUTHORIZED, "the object store refused the credential: check the Secret in spec.model.secretName."
        )
    return TransferBrokenError(f"the object store failed: {str(error).splitlines()[0][:200]}")
