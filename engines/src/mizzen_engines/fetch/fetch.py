"""How does an artifact get into the model's folder? Listed, a few files at a time, each checked, then complete."""

import asyncio
import shutil
from pathlib import Path

from mizzen_engines.failure import EngineStartError, ExitCode
from mizzen_engines.fetch.digest import sha256_of
from mizzen_engines.fetch.folder import ModelFolder, PlacedFile, digest_of
from mizzen_engines.fetch.source import Listing, RemoteFile, Source, TransferBrokenError, safe_path
from mizzen_engines.fetch.transfer import FileTransfer, Patience

FILES_AT_ONCE = 4


class ByteCount:
    """Bytes that one thread has read so far, for others to look at."""

    def __init__(self, total: int | None = None) -> None:
        self.done, self.total = 0, total

    def add(self, more: int) -> None:
        """Count."""
        self.done += more


class ArtifactFetch:
    """One artifact from one source into one folder."""

    def __init__(self, source: Source, uri: str, folder: ModelFolder, patience: Patience | None = None) -> None:
        self._source = source
        self._uri = uri
        self._folder = folder
        self._patience = patience or Patience()
        self.total_bytes: int | None = None
        self._arrived = 0
        self._reading: list[ByteCount] = []
        """Of files that were in their place already."""

    @property
    def done_bytes(self) -> int:
        """Bytes that arrived, or were in their place already and have been checked so far."""
        return self._arrived + sum(one.done for one in self._reading)

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
            read = ByteCount()
            self._reading.append(read)
            there = await asyncio.to_thread(self._folder.already, file, read.add)
            if there is not None:
                return there
            self._reading.remove(read)
            part = self._folder.part(self._uri, file)
            digest = await FileTransfer(self._source, file, part, self._count, self._patience).run()
            return await asyncio.to_thread(self._folder.place, part, safe_path(file.path), digest)

    def _count(self, change: int) -> None:
        self._arrived += change

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


class MountedArtifact:
    """An artifact on a volume of the user's, which is only read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read = ByteCount()

    def progress(self) -> tuple[int, int | None]:
        """Bytes checked, and bytes to check; may be asked from another thread."""
        return self._read.done, self._read.total

    def verify(self, expected_digest: str) -> None:
        """Check what the volume brings. Raises EngineStartError where it is missing or has another digest."""
        folder = self._folder
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            raise EngineStartError(ExitCode.NOT_FOUND, "the claim has nothing at the path of spec.model.uri.")
        if not expected_digest:
            return
        root = folder if folder.is_dir() else folder.parent
        paths = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else [folder]
        sizes = {path: path.stat().st_size for path in paths}
        self._read.total = sum(sizes.values())
        placed = [
            PlacedFile(path.relative_to(root).as_posix(), size, sha256_of(path, self._read.add), 0)
            for path, size in sizes.items()
        ]
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
