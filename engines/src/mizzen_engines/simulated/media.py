"""What does an engine say of sound, and which picture does it paint? A text by the sound's bytes; one grey dot."""

import base64
import hashlib
import itertools
import struct
import time
import zlib
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BodyPartReader, web

from mizzen_engines.simulated.requests import BadRequestError
from mizzen_engines.simulated.text import drawn_from, pieces

BYTES_A_SECOND = 16_000
"""Of sound."""
TEXT_TOKENS = 12


@dataclass
class Recording:
    """A body of /v1/audio/transcriptions, its sound read but not kept."""

    fields: dict[str, str] = field(default_factory=dict)
    sound_bytes: int = 0
    digest: str = ""

    @property
    def seconds(self) -> int:
        """Length of the sound."""
        return -(-self.sound_bytes // BYTES_A_SECOND)

    def words(self, seed: int) -> list[str]:
        """What is heard in it."""
        return list(itertools.islice(pieces(drawn_from(seed, "sound", self.digest)), TEXT_TOKENS))


async def recording_in(request: web.Request) -> Recording:
    """Read a multipart body part by part."""
    if not request.content_type.startswith("multipart/"):
        raise BadRequestError("the body must be multipart/form-data", "file")
    found, digest = Recording(), hashlib.sha256()
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        if part.name == "file":
            while chunk := await part.read_chunk(65_536):
                found.sound_bytes += len(chunk)
                digest.update(chunk)
        else:
            found.fields[str(part.name)] = (await part.read()).decode()
    if not found.sound_bytes:
        raise BadRequestError("file must hold a sound", "file")
    found.digest = digest.hexdigest()
    return found


def picture() -> str:
    """One grey dot as PNG, in base64."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    png = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\x00\x80")) + chunk(b"IEND", b"")
    )
    return base64.b64encode(png).decode()


def images(body: dict[str, Any]) -> dict[str, Any]:
    """The answer to /v1/images/generations."""
    if not isinstance(body.get("prompt"), str) or not body["prompt"]:
        raise BadRequestError("prompt must be a text", "prompt")
    data = [{"b64_json": picture()} for _ in range(body.get("n") or 1)]
    return {"created": int(time.time()), "data": data}
