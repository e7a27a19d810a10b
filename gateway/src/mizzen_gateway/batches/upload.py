"""How does a file get in? A form whose file goes on in pieces as it comes, each cut where a line ends."""

import asyncio

import orjson
from mizzen_crds.kept_files import LINE_BYTES, PIECE_BYTES

from mizzen_gateway.batches.keeper import Keeper, RefusedError
from mizzen_gateway.protocols.openai.errors import invalid
from mizzen_gateway.protocols.openai.multipart import MultipartReader, boundary_of
from mizzen_gateway.stages import Caller, Refusal
from mizzen_gateway.wire.request import BadRequestError, Request

PURPOSE = "batch"
ANCHOR, SECONDS = "expires_after[anchor]", "expires_after[seconds]"
FIELDS = frozenset({"purpose", ANCHOR, SECONDS})
NO_FORM = Refusal(415, "unsupported_media_type", "Body: must be multipart/form-data with a boundary; send a form.")


async def upload(keeper: Keeper, caller: Caller, request: Request) -> bytes | Refusal:
    """The file object as JSON, or what is wrong; then nothing of it is kept."""
    boundary = boundary_of(request.headers.get(b"content-type", b""))
    if boundary is None or request.stream is None:
        return NO_FORM
    sending = Sending(keeper, caller)
    try:
        made = await sending.take(MultipartReader(boundary, request.stream.read))
    except BadRequestError as problem:
        made = problem.refusal
    except RefusedError as problem:
        made = problem.refusal
    except asyncio.CancelledError:
        await asyncio.shield(sending.forget())
        raise
    if isinstance(made, Refusal):
        await sending.forget()
    return made


class Sending:
    """One upload under way."""

    def __init__(self, keeper: Keeper, caller: Caller) -> None:
        self._keeper = keeper
        self._caller = caller
        self._fields: dict[str, str] = {}
        self._file_id = ""
        self._pieces = 0

    async def take(self, reader: MultipartReader) -> bytes | Refusal:
        """Read the form and send its file. Raises BadRequestError and RefusedError."""
        while (part := await reader.next_part()) is not None:
            if part.filename is None:
                refusal = self._add(part.name, await reader.text(part))
            elif part.name != "file" or self._file_id:
                refusal = invalid(part.name[:100], "file: the only part that may be a file, and once; send one.")
            else:
                refusal = await self._send(part.filename, reader)
            if refusal is not None:
                return refusal
        refusal = self._lacks()
        if refusal is not None:
            return refusal
        seconds = self._fields.get(SECONDS)
        body = {"pieces": self._pieces, "expires_seconds": None if seconds is None else int(seconds)}
        return await self._keeper.ask("POST", f"files/{self._file_id}:complete", self._caller, body=body)

    async def forget(self) -> None:
        """Nothing came of it."""
        if self._file_id:
            try:
                await self._keeper.ask("DELETE", f"files/{self._file_id}", self._caller)
            except RefusedError:
                return  # what is never completed is removed within the hour

    def _add(self, name: str, value: str) -> Refusal | None:
        shown = name[:100]
        if name not in FIELDS:
            return invalid(shown, f"{shown}: not a field of this call; leave it out.", "parameter_not_allowed")
        if name in self._fields:
            return invalid(name, f"{name}: came twice; send it once.", "duplicate_key")
        if name == "purpose" and value != PURPOSE:
            return invalid(name, "purpose: must be 'batch'; files are kept here for batches alone.")
        if name == ANCHOR and value != "created_at":
            return invalid(name, "expires_after.anchor: must be 'created_at'.")
        if name == SECONDS and not (value.isascii() and value.isdigit() and len(value) < 10):
            return invalid(name, "expires_after.seconds: must be a whole number of seconds.")
        self._fields[name] = value
        return None

    def _lacks(self) -> Refusal | None:
        if not self._file_id:
            return invalid("file", "file: missing; send it as a part with a file name.")
        if "purpose" not in self._fields:
            return invalid("purpose", "purpose: missing; send 'batch'.")
        return None

    async def _send(self, filename: str, reader: MultipartReader) -> Refusal | None:
        begun = await self._keeper.ask("POST", "files", self._caller, body={"filename": filename[:255]})
        self._file_id = str(orjson.loads(begun)["id"])
        held = bytearray()
        async for data in reader.data():
            held += data
            if len(held) < PIECE_BYTES:
                continue
            end = held.rfind(b"\n") + 1
            if end:
                await self._piece(bytes(held[:end]))
                del held[:end]
            if len(held) > LINE_BYTES:
                return invalid("file", f"file: a line is longer than {LINE_BYTES} bytes; send shorter ones.")
        if held:
            await self._piece(bytes(held))
        return None

    async def _piece(self, text: bytes) -> None:
        path = f"files/{self._file_id}/pieces/{self._pieces}"
        await self._keeper.ask("PUT", path, self._caller, body=text)
        self._pieces += 1
