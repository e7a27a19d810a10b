"""The file of a form that came before the field that says which model it is for: kept, on disk if it is large."""

import tempfile
from collections.abc import AsyncIterator
from types import TracebackType
from typing import IO

from mizzen_gateway.protocols.openai.errors import invalid
from mizzen_gateway.stages import Refusal
from mizzen_gateway.wire.request import BadRequestError

IN_MEMORY = 256 * 1024
"""Bytes beyond which it goes to disk, into a file that has no name."""
MOST = 25 * 1024 * 1024
"""As OpenAI's own limit of a sound."""
HELD_BYTES = 128 * 1024 * 1024
"""Of all that are held at once: the chart's volume for temporary files is larger by a quarter."""
SHARE = 0.5
"""Of them, for one key."""
PIECE = 64 * 1024
TOO_MUCH = Refusal(
    503,
    "overloaded",
    "file: this gateway holds as many bytes of files that came before their `model` as it has room for, in all or of"
    " this key; send `model` before `file`, which is held nowhere, or try again.",
    (("retry-after", "1"),),
    "file",
)


class HeldFiles:
    """All of them in this process: how many bytes, and whose?"""

    def __init__(self) -> None:
        self._most = HELD_BYTES
        self.held = 0
        """Bytes."""
        self._of_keys: dict[str, int] = {}

    def one(self, key_id: str) -> "HeldFile":
        """Of a request with that key; to be used in a `with`."""
        return HeldFile(self, key_id)

    def grow(self, key_id: str, more: int) -> Refusal | None:
        """Count them; or why there is no room, which counts nothing."""
        of_key = self._of_keys.get(key_id, 0) + more
        if self.held + more > self._most or of_key > self._most * SHARE:
            return TOO_MUCH
        self.held += more
        self._of_keys[key_id] = of_key
        return None

    def shrink(self, key_id: str, less: int) -> None:
        """They are gone."""
        self.held -= less
        left = self._of_keys[key_id] - less
        if left:
            self._of_keys[key_id] = left
        else:
            del self._of_keys[key_id]


class HeldFile:
    """Its bytes, which may be read several times; gone when its request ends, however it does. Costs nothing unused."""

    def __init__(self, files: HeldFiles, key_id: str) -> None:
        self._files = files
        self._key_id = key_id
        self._file: IO[bytes] | None = None
        self._size = 0

    def __enter__(self) -> "HeldFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()
        if self._size:
            self._files.shrink(self._key_id, self._size)
            self._size = 0

    async def keep(self, pieces: AsyncIterator[bytes]) -> None:
        """All of them. Raises BadRequestError past the bounds."""
        self._file = file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 -- closed with its request
        async for piece in pieces:
            if self._size + len(piece) > MOST:
                message = f"model: must come before a file that is larger than {MOST >> 20} MiB; send the field first."
                raise BadRequestError(invalid("model", message))
            refusal = self._files.grow(self._key_id, len(piece))
            if refusal is not None:
                raise BadRequestError(refusal)
            self._size += len(piece)
            file.write(piece)

    async def data(self) -> AsyncIterator[bytes]:
        """Its bytes in pieces, from the beginning."""
        file, at = self._file, 0
        assert file is not None
        while True:
            file.seek(at)  # another engine may be given the same meanwhile
            piece = file.read(PIECE)
            if not piece:
                return
            at += len(piece)
            yield piece
