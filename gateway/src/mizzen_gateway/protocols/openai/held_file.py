"""The file of a form that came before the field that says which model it is for: kept, on disk if it is large."""

import tempfile
from collections.abc import AsyncIterator

from mizzen_gateway.protocols.openai.errors import invalid
from mizzen_gateway.wire.request import BadRequestError

IN_MEMORY = 256 * 1024
"""Bytes beyond which it goes to disk, into a file that has no name."""
MOST = 25 * 1024 * 1024
"""As OpenAI's own limit of a sound."""
PIECE = 64 * 1024


class HeldFile:
    """Its bytes, which may be read several times; gone with the object."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 -- closed with its owner
        self._size = 0

    def __del__(self) -> None:
        self._file.close()

    async def keep(self, pieces: AsyncIterator[bytes]) -> None:
        """All of them. Raises BadRequestError past the bound."""
        async for piece in pieces:
            self._size += len(piece)
            if self._size > MOST:
                message = f"model: must come before a file that is larger than {MOST >> 20} MiB; send the field first."
                raise BadRequestError(invalid("model", message))
            self._file.write(piece)

    async def data(self) -> AsyncIterator[bytes]:
        """Its bytes in pieces, from the beginning."""
        self._file.seek(0)
        while piece := self._file.read(PIECE):
            yield piece
