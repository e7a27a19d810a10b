"""Objects of an S3-compatible store below a prefix, or one object; asked through the proxy alone."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import (
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from mizzen_controlplane.egress.proxy import WayOut
from mizzen_controlplane.imports.choosing import chosen
from mizzen_controlplane.imports.credentials.showing import Shown
from mizzen_controlplane.imports.origin import BrokenOffError, Listing, OriginFile, Stream
from mizzen_controlplane.imports.source import Bucket
from mizzen_controlplane.imports.web import WAIT
from mizzen_controlplane.kit.problem import Invalid
from mizzen_controlplane.models.schemas import MAX_FILES
from mizzen_controlplane.operations.work import TryLaterError

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult  # exist for type checkers alone
    from obstore.store import S3Credential

_READ_BYTES: Final = 1 << 20
_REFUSED: Final = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "XAdminUserNotFound")
"""In answers of 404 as well: versitygw gives one for a key that it does not know."""
_ELSEWHERE: Final = ("PermanentRedirect", "AuthorizationHeaderMalformed")


class S3Origin:
    """What lies below the prefix of a bucket, or at it."""

    def __init__(self, way: WayOut, bucket: Bucket, patterns: Sequence[str], credential: Shown | None) -> None:
        self._way, self._bucket, self._patterns = way, bucket, patterns
        self._signed = credential is not None
        self._store = _store(way, bucket, credential)

    async def listing(self) -> Listing:
        """All objects below the prefix, or the one that is called so; raises Problem, and TryLaterError."""
        prefix, found = self._bucket.prefix.rstrip("/"), []
        with self._translated():
            async for batch in obstore.list(self._store, prefix=prefix or None):
                found += [(str(one["path"]), one["size"], one["e_tag"] or "") for one in batch]
                if len(found) > 2 * MAX_FILES:
                    break  # the number is refused for all kinds of origins alike
            if not found and prefix:
                one = await obstore.head_async(self._store, prefix)
                found, prefix = [(prefix, one["size"], one["e_tag"] or "")], prefix.rpartition("/")[0]
        folders = {path.rpartition("/")[0] for path, _, _ in found} | {prefix}
        files = (
            OriginFile(path.removeprefix(prefix).lstrip("/"), path, size, etag=etag)
            for path, size, etag in sorted(found)
            if size or path not in folders  # stores mark folders by empty objects of their name
        )
        return chosen(Listing(tuple(files)), self._patterns)

    @asynccontextmanager
    async def opened(self, file: OriginFile, first: int, etag: str) -> AsyncIterator[Stream]:
        """The bytes from `first` on, of the content that was listed."""
        options: GetOptions = {"range": {"offset": first}} if first else {}
        if etag:
            options["if_match"] = etag
        with self._translated(file):
            got = await obstore.get_async(self._store, file.locator, options=options)
        yield Stream(first, got.meta["size"], got.meta["e_tag"] or "", self._chunks(got))

    async def _chunks(self, got: "GetResult") -> AsyncIterator[bytes]:
        try:
            async for chunk in got.stream(min_chunk_size=_READ_BYTES):
                yield bytes(chunk)
        except (BaseError, OSError) as error:
            raise BrokenOffError("the store stopped sending") from error

    @contextmanager
    def _translated(self, file: OriginFile | None = None) -> Iterator[None]:
        """The store's failures as ours; its words, which may tell of its inside, go into none of them."""
        refused = len(self._way.allowed.refusals)
        try:
            yield
        except (BaseError, OSError) as error:
            if len(self._way.allowed.refusals) > refused and not self._way.allowed.unreachable:
                raise Invalid(self._way.last_refusal, code="origin_refused") from error
            raise self._problem(error, file) from error

    def _problem(self, error: BaseError | OSError, file: OriginFile | None) -> Exception:
        host = self._bucket.endpoint.partition("://")[2]
        denied = isinstance(error, PermissionDeniedError | UnauthenticatedError)
        if denied or any(word in str(error) for word in _REFUSED):
            remedy = (
                "it refuses the access key pair that it was shown, or that may not read there."
                if self._signed
                else "it wants to know who asks. Store an access key pair for this host (`mizzen import-credentials "
                "create --access-key-id`) and name it: `credential`."
            )
            return Invalid(f"{host}: {remedy}", code="origin_denied")
        if isinstance(error, PreconditionError) and file is not None:
            return Invalid(
                f"{file.path} is not what the origin said: its ETag is another. Import again to take what is there "
                "now.",
                code="origin_changed",
            )
        if any(word in str(error) for word in _ELSEWHERE):
            return Invalid(
                f"{host} says that the bucket is in another region: name it in the source, `?region=...`.",
                code="origin_refused",
            )
        if isinstance(error, NotFoundError | FileNotFoundError) or "NoSuchBucket" in str(error):
            return Invalid(f"{host} has nothing there. Check bucket and prefix of the source.", code="origin_not_found")
        return TryLaterError(f"{host} does not answer as a store does.", WAIT, "origin_away")


def _store(way: WayOut, bucket: Bucket, credential: Shown | None) -> S3Store:
    """Signed with the credential alone, or not at all: the library takes from the environment what it is not given, the
    session token of this machine's identity among it."""

    def provider() -> "S3Credential":
        assert credential is not None
        return {"access_key_id": credential.username, "secret_access_key": credential.secret, "expires_at": None}

    return S3Store(
        bucket.name, credential_provider=provider if credential else None, skip_signature=credential is None,
        endpoint=bucket.endpoint, region=bucket.region, virtual_hosted_style_request=False,
        client_options={
            "proxy_url": way.proxy_url,
            "allow_http": bucket.endpoint.startswith("http://"),
            "timeout": timedelta(hours=24), "read_timeout": timedelta(minutes=2),
            "connect_timeout": timedelta(seconds=30), "user_agent": "mizzen",
        },
        retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=20)},
    )  # fmt: skip
