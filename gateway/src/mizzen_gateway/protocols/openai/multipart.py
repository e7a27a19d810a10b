"""A multipart body on its way: its parts one after the other, the large ones in pieces, never the whole."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from mizzen_gateway.protocols.openai.errors import invalid
from mizzen_gateway.stages import Refusal
from mizzen_gateway.wire.request import BadRequestError

HEAD_BYTES = 4096
"""Of the head of one part."""
FIELD_BYTES = 64 * 1024
"""Of a field that is no file."""
MOST_PARTS = 64
BOUNDARY = re.compile(rb';\s*boundary=(?:"([^"\r\n]{1,70})"|([!-~]{1,70}))\s*(?:;|$)', re.IGNORECASE)
PARAMETER = re.compile(rb';\s*([a-z*]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;"\s]+))', re.IGNORECASE)
QUOTED = re.compile(r'[\x00-\x1f\x7f"\\]')


@dataclass(frozen=True, slots=True)
class Part:
    """The head of one."""

    name: str
    filename: str | None
    """None for a field that is no file."""
    content_type: str


def boundary_of(content_type: bytes) -> bytes | None:
    """None where the body is no form with parts."""
    if not content_type.lower().startswith(b"multipart/form-data"):
        return None
    found = BOUNDARY.search(content_type)
    return (found[1] or found[2]) if found is not None else None


def broken(message: str) -> BadRequestError:
    """400: the body is not what its header says."""
    return BadRequestError(Refusal(400, "invalid_multipart", message))


class MultipartReader:
    """Reads parts in order; each part's data must be read before the next part's head."""

    def __init__(self, boundary: bytes, read: Callable[[], Awaitable[bytes]]) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._read = read
        # The first delimiter has no line before it.
        self._held = bytearray(b"\r\n")
        self._parts = 0
        self._begun = False

    async def next_part(self) -> Part | None:
        """The head of the next part; None after the last. Raises BadRequestError."""
        if not self._begun:
            self._begun = True
            await self._hold(len(self._delimiter))
            if not self._held.startswith(self._delimiter):
                raise broken("Body: does not begin with the boundary that Content-Type names; send it so.")
            del self._held[: len(self._delimiter)]
        await self._hold(2)
        end = bytes(self._held[:2])
        if end == b"--":
            await self._skip_rest()
            return None
        if end != b"\r\n":
            raise broken("Body: a boundary is not followed by a line end; send CR and LF.")
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise broken(f"Body: more than {MOST_PARTS} parts; send fewer.")
        return parsed_head(await self._head())

    async def _head(self) -> bytes:
        while (end := self._held.find(b"\r\n\r\n")) < 0:
            if len(self._held) > HEAD_BYTES:
                raise broken(f"Body: the head of a part is larger than {HEAD_BYTES} bytes; send a smaller one.")
            await self._more()
        if end > HEAD_BYTES:
            raise broken(f"Body: the head of a part is larger than {HEAD_BYTES} bytes; send a smaller one.")
        head = bytes(self._held[2:end])
        del self._held[: end + 4]
        return head

    async def data(self) -> AsyncIterator[bytes]:
        """The data of the part whose head was read last, in pieces."""
        keep = len(self._delimiter) - 1
        while True:
            found = self._held.find(self._delimiter)
            if found >= 0:
                if found > 0:
                    yield bytes(self._held[:found])
                del self._held[: found + len(self._delimiter)]
                return
            if len(self._held) > keep:
                yield bytes(self._held[:-keep])
                del self._held[:-keep]
            await self._more()

    async def text(self, part: Part) -> str:
        """The whole data of a part that is no file. Raises BadRequestError past the bound."""
        held = bytearray()
        async for piece in self.data():
            held += piece
            if len(held) > FIELD_BYTES:
                message = f"{part.name}: larger than {FIELD_BYTES} bytes; send a shorter text."
                raise BadRequestError(invalid(part.name, message))
        try:
            return held.decode()
        except UnicodeDecodeError:
            raise BadRequestError(invalid(part.name, f"{part.name}: must be a text in UTF-8.")) from None

    async def _hold(self, count: int) -> None:
        while len(self._held) < count:
            await self._more()

    async def _more(self) -> None:
        data = await self._read()
        if not data:
            raise broken("Body: ends before its last boundary; send it whole.")
        self._held += data

    async def _skip_rest(self) -> None:
        self._held.clear()
        while await self._read():
            pass


def parsed_head(head: bytes) -> Part:
    """Raises BadRequestError where a part has no name, or two."""
    disposition, content_type = b"", b""
    for line in head.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        lowered = name.lower()
        if not colon or name != name.strip():
            raise broken("Body: a part has a malformed header; send 'Name: value'.")
        if lowered == b"content-disposition":
            if disposition:
                raise broken("Body: a part has Content-Disposition twice; send it once.")
            disposition = value.strip()
        elif lowered == b"content-type":
            content_type = value.strip()
        elif lowered in {b"content-transfer-encoding", b"content-encoding"}:
            raise broken("Body: a part is encoded; send its bytes as they are.")
    kind, _, _ = disposition.partition(b";")
    found = [(one[1].lower(), one[2] if one[2] is not None else one[3]) for one in PARAMETER.finditer(disposition)]
    names = dict(found)
    if kind.strip().lower() != b"form-data" or b"name" not in names or len(names) != len(found):
        raise broken("Body: a part lacks 'Content-Disposition: form-data; name=...'; send it once for each part.")
    filename = names.get(b"filename", names.get(b"filename*"))
    return Part(_unquoted(names[b"name"]), None if filename is None else _unquoted(filename), _plain(content_type))


def _unquoted(value: bytes) -> str:
    return re.sub(r"\\(.)", r"\1", value.decode("utf-8", "replace"))


def _plain(content_type: bytes) -> str:
    return QUOTED.sub("", content_type[:100].decode("latin-1"))


def head_of(boundary: str, part: Part) -> bytes:
    """The head of a part as it goes out; nothing of the caller's own quoting."""
    name = QUOTED.sub("_", part.name)
    lines = [f"--{boundary}", f'Content-Disposition: form-data; name="{name}"']
    if part.filename is not None:
        lines[1] += f'; filename="{QUOTED.sub("_", part.filename)}"'
        lines.append(f"Content-Type: {part.content_type or 'application/octet-stream'}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
