"""What is here of an import already? Its folder: the listing, bytes that came, and notes of files that are whole."""

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from mizzen_controlplane.imports.origin import Listing, OriginFile


@dataclass(frozen=True, slots=True)
class Arrived:
    """A file that is here whole."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Workshop:
    """Folder of one operation. After a kill at any point it holds nothing that counts and is not true."""

    folder: Path

    def listing(self) -> Listing | None:
        """What an earlier attempt was told; None for the first."""
        said = _read(self.folder / "listing.json")
        return Listing(tuple(OriginFile(**file) for file in said["files"]), said["revision"]) if said else None

    def keep_listing(self, listing: Listing) -> None:
        """Write it down."""
        self.folder.mkdir(parents=True, exist_ok=True)
        _write(self.folder / "listing.json", asdict(listing))

    def part(self, file: OriginFile) -> Path:
        """Where its bytes lie."""
        return self.folder / (hashlib.sha256(file.path.encode()).hexdigest() + ".part")

    def etag(self, file: OriginFile) -> str:
        """What the origin called the content of which bytes are here."""
        said = _read(self.part(file).with_suffix(".etag"))
        return str(said["etag"]) if said else ""

    def keep_etag(self, file: OriginFile, etag: str) -> None:
        """Before the first byte is written."""
        _write(self.part(file).with_suffix(".etag"), {"etag": etag})

    def arrived(self, file: OriginFile) -> Arrived | None:
        """The file, where it is here whole."""
        said = _read(self.part(file).with_suffix(".whole"))
        return Arrived(**said) if said else None

    def keep_arrived(self, file: OriginFile, arrived: Arrived) -> None:
        """All bytes are written and were held to what the origin said."""
        _write(self.part(file).with_suffix(".whole"), asdict(arrived))

    def drop(self) -> None:
        """Remove all of it. Blocks."""
        shutil.rmtree(self.folder, ignore_errors=True)


def read_again(part: Path) -> Iterator[bytes]:
    """What an earlier attempt wrote. Blocks."""
    if part.exists():
        with part.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                yield chunk


def _read(path: Path) -> dict[str, Any] | None:
    try:
        said: dict[str, Any] = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return said


def _write(path: Path, said: dict[str, Any]) -> None:
    """Whole, or not at all."""
    fresh = path.with_suffix(path.suffix + ".fresh")
    fresh.write_bytes(orjson.dumps(said))
    fresh.replace(path)
