"""How does one file arrive? From where its part ends, again after every break, until its digest is the expected one."""

import asyncio
import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mizzen_engines.failure import EngineStartError, ExitCode
from mizzen_engines.fetch.digest import READ_BYTES
from mizzen_engines.fetch.source import Body, RemoteFile, Source, TransferBrokenError


@dataclass(frozen=True)
class Patience:
    """How long broken transfers are tried again."""

    attempts: int = 8
    """Tries in a row that may end without a single new byte."""
    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 15.0

    def pause(self, failures: int) -> float:
        """Seconds before the next try."""
        ceiling: float = min(self.longest_pause_seconds, self.first_pause_seconds * 2.0 ** (failures - 1))
        return ceiling * (0.5 + random.random() / 2)  # noqa: S311  # spreads replicas, hides nothing


class FileTransfer:
    """Fetches one file into its part; `moved` is told how many bytes came, or went with a dropped part."""

    def __init__(
        self, source: Source, file: RemoteFile, part: Path, moved: Callable[[int], None], patience: Patience
    ) -> None:
        self._source = source
        self._file = file
        self._part = part
        self._moved = moved
        self._patience = patience
        self._counted = 0

    async def run(self) -> str:
        """Fetch and check; return the digest. Raises EngineStartError where nothing helps."""
        self._part.parent.mkdir(parents=True, exist_ok=True)
        resumed = self._size() > 0
        digest = await self._whole()
        if not self._file.sha256 or digest == self._file.sha256:
            return digest
        self._drop()
        if resumed:
            # A part from before a crash may end in bytes that never reached the disk: once more, from the start.
            digest = await self._whole()
            if digest == self._file.sha256:
                return digest
            self._drop()
        raise EngineStartError(
            ExitCode.DIGEST_MISMATCH,
            f"{self._file.path} has the digest sha256:{digest}, expected sha256:{self._file.sha256}: "
            "it was changed in storage or on its way. Push the version again, or correct spec.model.digest.",
        )

    async def _whole(self) -> str:
        failures = 0
        while True:
            before = self._size()
            try:
                self._part.touch()  # an empty file is a file as well
                return await self._attempt()
            except TransferBrokenError as error:
                failures = 1 if self._size() > before else failures + 1
                if failures >= self._patience.attempts:
                    raise EngineStartError(
                        ExitCode.UNREACHABLE,
                        f"{self._file.path} could not be fetched: {error}. {failures} tries brought nothing new; "
                        "check that the source can be reached.",
                    ) from error
            await asyncio.sleep(self._patience.pause(failures))

    async def _attempt(self) -> str:
        if self._file.size is None or self._size() > self._file.size:
            self._drop()
        running = await asyncio.to_thread(self._hash_part)
        if self._file.size is not None and self._size() == self._file.size:
            return running.hexdigest()
        async with self._source.read(self._file, self._size()) as body:
            if body.offset != self._size():
                self._drop()
                running = hashlib.sha256()
            if body.offset not in {0, self._size()}:
                raise TransferBrokenError("the source began at another byte than it was asked for")
            await self._append(body, running)
        expected = self._file.size
        # Too many bytes of a file with a known digest are not a break: its digest will tell that it was changed.
        if expected is not None and (self._size() < expected or (self._size() > expected and not self._file.sha256)):
            raise TransferBrokenError(f"it ended after {self._size()} of {expected} bytes")
        return running.hexdigest()

    async def _append(self, body: Body, running: "hashlib._Hash") -> None:
        with self._part.open("ab") as part:
            async for chunk in body.chunks:
                running.update(chunk)
                part.write(chunk)
                self._count(len(chunk))
                if self._file.size is not None and self._counted > self._file.size:
                    # More than was announced is not stored: the digest will differ.
                    return

    def _hash_part(self) -> "hashlib._Hash":
        running, seen = hashlib.sha256(), 0
        if self._part.exists():
            with self._part.open("rb") as part:
                while chunk := part.read(READ_BYTES):
                    running.update(chunk)
                    seen += len(chunk)
        self._count(seen - self._counted)
        return running

    def _size(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def _drop(self) -> None:
        self._part.unlink(missing_ok=True)
        self._count(-self._counted)

    def _count(self, change: int) -> None:
        self._counted += change
        self._moved(change)
