"""How does an artifact get into the model's folder? Listed, a few files at a time, each checked, then complete."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

from mizzen_engines.failure import EngineStartError, ExitCode
from mizzen_engines.fetch.digest import sha256_of
from mizzen_engines.fetch.folder import ModelFolder, PlacedFile, digest_of
from mizzen_engines.fetch.source import Listing, RemoteFile, Source, TransferBrokenError, safe_path
from mizzen_engines.fetch.transfer import FileTransfer, Patience

FILES_AT_ONCE = 4
Progress = Callable[[int, int | None], None]
"""Called with bytes done and bytes in all."""


class ArtifactFetch:
    """One artifact from one source into one folder."""

    def __init__(self, source: Source, uri: str, folder: ModelFolder, patience: Patience | None = None) -> None:
        self._source = source
        self._uri = uri
        self._folder = folder
        self._patience = patience or Patience()
        self.done_bytes = 0
        self.total_bytes: int | None = None

    async def run(self, expected_digest: str) -> str:
        """Fetch what is missing and return the artifact's digest. Raises EngineStartError where that fails."""
        listing = await self._listing()
        if listing.digest and expected_digest and listing.digest != expected_digest:
            raise mismatch(listing.digest, expected_digest)
        for file in listing.files:
            safe_path(file.path)
        self.total_bytes = listing.total_bytes
        self._folder.clear()
        self.check_room(listing)
        placed = await self._files(listing)
        check_digest(placed, expected_digest or listing.digest)
        self._folder.take_out_others(placed)
        self._folder.finish(self._uri, placed)
        return digest_of(placed)

    async def _listing(self) -> Listing:
        failures = 0
        while True:
            try:
                return await self._source.listing()
            except TransferBrokenError as error:
                failures += 1
                if failures >= self._patience.attempts:
                    raise EngineStartError(
                        ExitCode.UNREACHABLE, f"the source of the weights cannot be reached: {error}."
                    ) from error
            await asyncio.sleep(self._patience.pause(failures))

    async def _files(self, listing: Listing) -> list[PlacedFile]:
        gate = asyncio.Semaphore(FILES_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._file(file, gate)) for file in listing.files]
        return [task.result() for task in tasks]

    async def _file(self, file: RemoteFile, gate: asyncio.Semaphore) -> PlacedFile:
        async with gate:
            there = await asyncio.to_thread(self._folder.already, file)
            if there is not None:
                self._count(there.size)
                return there
            part = self._folder.part(self._uri, file)
            digest = await FileTransfer(self._source, file, part, self._count, self._patience).run()
            return await asyncio.to_thread(self._folder.place, part, safe_path(file.path), digest)

    def _count(self, change: int) -> None:
        self.done_bytes += change

    def check_room(self, listing: Listing) -> None:
        """Raise EngineStartError where the volume has too little room for what is missing."""
        files = [file for file in listing.files if file.size is not None]
        have = sum(_size_of(self._folder.part(self._uri, f)) + _size_of(self._folder.root / f.path) for f in files)
        needed = sum(file.size or 0 for file in files) - have
        free = shutil.disk_usage(self._folder.root).free
        if needed > free:
            raise EngineStartError(
                ExitCode.NO_SPACE,
                f"the weights need {needed} bytes more, the volume has {free} free: raise spec.model.cache.sizeLimit, "
                "choose a bigger volume, or free space.",
            )


def verify_mounted(folder: Path, expected_digest: str) -> None:
    """Check what a volume brings. Raises EngineStartError where it is missing or has another digest."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        raise EngineStartError(ExitCode.NOT_FOUND, "the claim has nothing at the path of spec.model.uri.")
    if not expected_digest:
        return
    root = folder if folder.is_dir() else folder.parent
    paths = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else [folder]
    placed = [PlacedFile(p.relative_to(root).as_posix(), p.stat().st_size, sha256_of(p), 0) for p in paths]
    check_digest(placed, expected_digest)


def check_digest(files: list[PlacedFile], expected: str) -> None:
    """Raise EngineStartError unless the files make the digest; a lone file may also be named by its own SHA-256."""
    computed = {digest_of(files)} | ({f"sha256:{files[0].sha256}"} if len(files) == 1 else set())
    if expected and expected not in computed:
        raise mismatch(digest_of(files), expected)


def mismatch(found: str, expected: str) -> EngineStartError:
    """The error for an artifact with another digest."""
    return EngineStartError(
        ExitCode.DIGEST_MISMATCH,
        f"the artifact has the digest {found}, expected {expected}: it was changed. "
        "Push the version again, or correct spec.model.digest.",
    )


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
