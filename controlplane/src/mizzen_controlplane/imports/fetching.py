"""How a file comes here: from where it stopped, held to its size and digest, and no content that changed meanwhile."""

import asyncio
import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from mizzen_controlplane.imports.origin import BrokenOffError, Origin, OriginFile, Stream
from mizzen_controlplane.imports.workshop import Arrived, Workshop, read_again
from mizzen_controlplane.kit.problem import Invalid, TooLarge
from mizzen_controlplane.models.blob_folder import disk_full_as_problem
from mizzen_controlplane.operations.work import Report

IN_VAIN: Final = 3
"""Goes without a byte more, after which an origin is taken to send no more."""
PAUSE_SECONDS: Final = 0.5


@dataclass(slots=True)
class Fetching:
    """What the files of one import share."""

    origin: Origin
    workshop: Workshop
    report: Report
    most_bytes: int
    """Of all files together."""
    known: frozenset[str] = frozenset()
    """Digests of content that the project has."""
    setting: str = "MIZZEN_IMPORT_MAX_BYTES"

    async def fetch(self, file: OriginFile) -> Arrived:
        """The whole file; what is here already is not asked for. Raises Problem, and TryLaterError."""
        if (here := self.workshop.arrived(file)) is not None:
            self.report.done_bytes += here.size
            return here
        if file.size is not None and had_already(file, self.known):
            self.report.done_bytes += file.size
            return Arrived(file.size, file.sha256)
        before, most, in_vain = self.report.done_bytes, -1, 0
        while True:
            arriving = await asyncio.to_thread(_Arriving.of, self, file)
            self.report.done_bytes = before + arriving.here
            try:
                return await self._go_on(file, arriving, lambda done: self._tell(before, done))
            except BrokenOffError as error:
                in_vain = 0 if arriving.here > most else in_vain + 1
                most = max(most, arriving.here)
                if in_vain >= IN_VAIN:
                    raise Invalid(
                        f"{file.path}: {error}, again and again, after {arriving.here} bytes. The origin promises more "
                        "than it sends.",
                        code="origin_broken",
                    ) from error
                await asyncio.sleep(PAUSE_SECONDS if in_vain else 0)

    def _tell(self, before: int, done: int) -> None:
        self.report.done_bytes = before + done
        if self.report.done_bytes > self.most_bytes:
            raise TooLarge(
                f"The files have more than {self.most_bytes} bytes together, the most that is imported "
                f"({self.setting}).",
                code="import_too_large",
            )

    async def _go_on(self, file: OriginFile, arriving: "_Arriving", tell: Callable[[int], None]) -> Arrived:
        etag = self.workshop.etag(file) or file.etag
        if file.size is None or arriving.here < file.size or not file.size:
            async with self.origin.opened(file, arriving.here, etag) as stream:
                _require_same(file, etag, stream)
                if stream.first != arriving.here:
                    arriving.start_again()
                if not arriving.here:
                    self.workshop.keep_etag(file, stream.etag)
                size = file.size if file.size is not None else stream.size
                async for chunk in stream.chunks:
                    if size is not None and arriving.here + len(chunk) > size:
                        raise _changed(file, f"it sends more than the {size} bytes that it told of")
                    await asyncio.to_thread(arriving.write, chunk)
                    tell(arriving.here)
                if size is not None and arriving.here < size:
                    raise BrokenOffError("the origin stopped sending")
        return self._whole(file, arriving)

    def _whole(self, file: OriginFile, arriving: "_Arriving") -> Arrived:
        found = arriving.digest.hexdigest()
        if file.sha256 and found != file.sha256:
            raise Invalid(
                f"{file.path} arrived with sha256 {found}, but {file.sha256} was promised: it was changed, or damaged "
                "on its way. Nothing was made of it.",
                code="origin_digest_mismatch",
            )
        whole = Arrived(arriving.here, found)
        self.workshop.keep_arrived(file, whole)
        return whole


def had_already(file: OriginFile, known: Collection[str]) -> bool:
    """The content need not be fetched: the project has it, by the origin's own word and not only by the caller's."""
    return file.vouched and file.sha256 in known


class _Arriving:
    """The bytes of one file that are here, and their digest so far."""

    def __init__(self, fetching: Fetching, file: OriginFile) -> None:
        self._part = fetching.workshop.part(file)
        self.digest = hashlib.sha256()
        self.here = 0

    @classmethod
    def of(cls, fetching: Fetching, file: OriginFile) -> "_Arriving":
        """What is here. Blocks."""
        made = cls(fetching, file)
        with disk_full_as_problem():
            made._part.parent.mkdir(parents=True, exist_ok=True)
            made._part.touch()
        for chunk in read_again(made._part):
            made.digest.update(chunk)
            made.here += len(chunk)
        return made

    def start_again(self) -> None:
        """Forget what is here."""
        self._part.write_bytes(b"")
        self.digest, self.here = hashlib.sha256(), 0

    def write(self, chunk: bytes) -> None:
        """Append. Blocks."""
        with disk_full_as_problem(), self._part.open("ab") as stream:
            stream.write(chunk)
        self.digest.update(chunk)
        self.here += len(chunk)


def _require_same(file: OriginFile, etag: str, stream: Stream) -> None:
    """Nothing is put together of two contents."""
    if file.size is not None and stream.size is not None and stream.size != file.size:
        raise _changed(file, f"it was listed with {file.size} bytes and has {stream.size} now")
    if etag and stream.etag and stream.etag != etag:
        raise _changed(file, "its ETag is another")


def _changed(file: OriginFile, how: str) -> Invalid:
    return Invalid(
        f"{file.path} is not what the origin said: {how}. Import again to take what is there now.",
        code="origin_changed",
    )
