"""Content in a bucket of an S3-compatible store, through obstore: one object each, under its digest.

The store checks the SHA-256 of every part that it is sent (x-amz-checksum-sha256), so that what was damaged on its way
never becomes an object; an object appears whole or not at all.
"""

import asyncio
import errno
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import obstore
from obstore.exceptions import BaseError, NotFoundError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from mizzen_controlplane.kit.problem import InsufficientStorage, NotFound, Unavailable
from mizzen_controlplane.kit.settings import SettingsError

if TYPE_CHECKING:
    from obstore.store import S3Config  # exists for type checkers alone

PART_BYTES: Final = 8 << 20
PARTS_AT_ONCE: Final = 4
"""With PART_BYTES, what a file on its way takes of memory."""
_READ_BYTES: Final = 1 << 20
_AT_ONCE: Final = 16
_REFUSED = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "XAdminUserNotFound")
"""In answers of 404 as well: versitygw gives one for a key that it does not know."""
_FULL = ("QuotaExceeded", "InsufficientStorage", "NoSpace", "no space left", "status: 507", "507 Insufficient")


class BucketStore:
    """A bucket, or a prefix of one."""

    def __init__(self, store: S3Store, *, signs: bool) -> None:
        self._store = store
        self._signs = signs
        self._files = asyncio.Semaphore(2)
        self._asked = asyncio.Semaphore(_AT_ONCE)

    async def keep(self, gathered: Path, sha256: str) -> None:
        """Copy the file into the bucket; two at a time, so that memory is bounded."""
        async with self._files:
            with _translated():
                await obstore.put_async(
                    self._store, _key(sha256), gathered, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE
                )

    async def held(self, digests: Sequence[str]) -> set[str]:
        """Those of `digests` that are here."""
        here = await asyncio.gather(*(self._is_here(sha256) for sha256 in digests))
        return {sha256 for sha256, found in zip(digests, here, strict=True) if found}

    async def _is_here(self, sha256: str) -> bool:
        async with self._asked:
            try:
                with _translated():
                    await obstore.head_async(self._store, _key(sha256))
            except NotFound:
                return False
            return True

    def path_of(self, sha256: str) -> Path | None:  # noqa: ARG002 - nothing of a bucket lies here
        """None: it is elsewhere."""
        return None

    async def read(self, sha256: str, first: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `first` to `end`."""
        if first >= end:
            return
        with _translated():
            found = await obstore.get_async(self._store, _key(sha256), options={"range": (first, end)})
            async for chunk in found.stream(min_chunk_size=_READ_BYTES):
                yield bytes(chunk)

    async def signed_url(self, sha256: str, seconds: int) -> str | None:
        """A presigned GET, where the settings offer it."""
        if not self._signs:
            return None
        with _translated():
            return await obstore.sign_async(self._store, "GET", _key(sha256), timedelta(seconds=seconds))

    async def remove(self, digests: Sequence[str]) -> None:
        """Remove content."""
        if digests:
            with _translated():
                await obstore.delete_async(self._store, [_key(sha256) for sha256 in digests])

    async def contents(self) -> AsyncIterator[str]:
        """Digests of all that is here."""
        with _translated():
            async for batch in obstore.list(self._store, prefix="blobs/sha256/"):
                for found in batch:
                    yield str(found["path"]).rpartition("/")[2]


def open_bucket(url: str, settings: Mapping[str, str], *, signs: bool) -> BucketStore:
    """The bucket of `s3://bucket/prefix`; `settings` are obstore's own names. Raises SettingsError."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    config: dict[str, Any] = {"checksum_algorithm": "SHA256", "virtual_hosted_style_request": "false", **settings}
    plain = config.get("endpoint", "").startswith("http://")
    try:
        store = S3Store(
            bucket, prefix=prefix.strip("/") or None, config=cast("S3Config", config),
            client_options={"allow_http": plain, "timeout": "60s", "connect_timeout": "5s"},
            retry_config={"max_retries": 4, "retry_timeout": timedelta(seconds=20)},
        )  # fmt: skip
    except (BaseError, ValueError) as error:
        raise SettingsError(
            f"MIZZEN_ARTIFACTS_URL is {url!r}, which cannot be opened ({str(error).splitlines()[0][:200]}). Check it "
            "and the files of MIZZEN_ARTIFACTS_SECRETS_DIR."
        ) from error
    return BucketStore(store, signs=signs)


def _key(sha256: str) -> str:
    return f"blobs/sha256/{sha256[:2]}/{sha256}"


@contextmanager
def _translated() -> Iterator[None]:
    """The store's failures as problems; its words go into none of them, for they may tell of its inside."""
    try:
        yield
    except (NotFoundError, FileNotFoundError) as error:
        if any(word in str(error) for word in _REFUSED):
            raise _refused() from error
        if "NoSuchBucket" in str(error):
            raise Unavailable(
                "The bucket of MIZZEN_ARTIFACTS_URL does not exist: make it. What was received is kept.",
                code="store_without_bucket",
            ) from error
        raise NotFound(
            "The content is gone from the store of artifacts. Restore the bucket, or push again.",
            code="content_missing",
        ) from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise _refused() from error
    except (BaseError, OSError) as error:
        if any(word in str(error) for word in _FULL) or getattr(error, "errno", None) == errno.ENOSPC:
            raise InsufficientStorage(
                "The store of artifacts has no room left. What was received is kept: enlarge it, then go on.",
                code="store_full",
            ) from error
        raise Unavailable(
            "The store of artifacts does not answer as it should. What was received is kept: try again "
            "in some seconds.",
            code="store_away",
            headers={"Retry-After": "5"},
        ) from error


def _refused() -> Unavailable:
    return Unavailable(
        "The store of artifacts refuses the control plane's credential: renew the files of "
        "MIZZEN_ARTIFACTS_SECRETS_DIR. What was received is kept.",
        code="store_refused",
    )
