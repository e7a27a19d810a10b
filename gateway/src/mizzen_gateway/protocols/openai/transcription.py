"""A request to /v1/audio/transcriptions: its fields are held to rules, its sound goes to the engine as it comes.

The model must be known before the sound can go anywhere. Clients that are libraries send its field first; a file that
came before it is held until the request ends.
"""

import secrets
from collections.abc import AsyncIterator
from typing import Literal

from mizzen_gateway.engine.exchange import EngineRequest
from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.protocols.call import Admission, Answer
from mizzen_gateway.protocols.openai.abilities import lacking
from mizzen_gateway.protocols.openai.answer import StreamAnswer
from mizzen_gateway.protocols.openai.errors import invalid
from mizzen_gateway.protocols.openai.held_file import HeldFile
from mizzen_gateway.protocols.openai.multipart import MultipartReader, Part, boundary_of, head_of
from mizzen_gateway.protocols.openai.passing import PassedAnswer
from mizzen_gateway.protocols.openai.rules import MAX_OUTPUT_TOKENS
from mizzen_gateway.protocols.openai.tail import CHUNKS
from mizzen_gateway.routing.target import Target
from mizzen_gateway.stages import Estimate, Refusal
from mizzen_gateway.wire.request import BadRequestError, Request
from mizzen_gateway.wire.response import HeaderList, Responder

PATH = "/v1/audio/transcriptions"
MODEL_NAME_LENGTH = 256
MOST_TOKENS = 4096
"""Of a text, for limits that count tokens: nobody knows the sound's length before it is read."""
FORMATS = frozenset({"json", "text", "srt", "verbose_json", "vtt"})
TAKEN = frozenset(
    {
        "model", "language", "prompt", "response_format", "temperature", "timestamp_granularities[]", "include[]",
        "stream", "stream_include_usage", "chunking_strategy", "hotwords", "to_language", "seed", "top_p", "top_k",
        "min_p", "frequency_penalty", "presence_penalty", "repetition_penalty", "max_completion_tokens", "user",
    }
)  # fmt: skip
FIRST = frozenset({"stream", "stream_include_usage", "response_format"})
"""Fields that say how the answer comes."""
REPEATED = frozenset({"timestamp_granularities[]", "include[]"})
TWICE = "file: came twice; send it once."
Fields = list[tuple[str, str]]


class Form:
    """The fields of a body so far; each may come once."""

    def __init__(self) -> None:
        self.fields: Fields = []

    def add(self, name: str, value: str) -> None:
        """Raises BadRequestError where the rules do not let it pass."""
        refusal = self._refused(name, value)
        if refusal is not None:
            raise BadRequestError(refusal)
        self.fields.append((name, value))

    def get(self, name: str) -> str | None:
        """A field's text."""
        return next((value for known, value in self.fields if known == name), None)

    def _refused(self, name: str, value: str) -> Refusal | None:
        shown = name[:100]
        if name not in TAKEN:
            message = f"{shown}: not a field of this call; leave it out."
            return invalid(shown, message, "parameter_not_allowed")
        if name not in REPEATED and self.get(name) is not None:
            return invalid(name, f"{name}: came twice; send it once.", "duplicate_key")
        if name == "model" and not 0 < len(value) <= MODEL_NAME_LENGTH:
            return invalid(name, f"model: must be a name of 1 to {MODEL_NAME_LENGTH} characters; see GET /v1/models.")
        if name in {"stream", "stream_include_usage"} and value not in {"true", "false"}:
            return invalid(name, f"{name}: must be true or false.")
        if name == "response_format" and value not in FORMATS:
            return invalid(name, f"response_format: must be one of {', '.join(sorted(FORMATS))}.")
        if name == "max_completion_tokens" and not (value.isdigit() and 0 < int(value[:9]) <= MAX_OUTPUT_TOKENS):
            return invalid(name, f"{name}: must be a whole number from 1 to {MAX_OUTPUT_TOKENS}.")
        return None


async def parse(request: Request, held: HeldFile) -> "TranscriptionCall | Refusal":
    """Read the body up to its file; the whole of it where the model comes later: then the file is `held`."""
    boundary = boundary_of(request.headers.get(b"content-type", b""))
    if boundary is None or request.stream is None:
        return Refusal(415, "unsupported_media_type", "Body: must be multipart/form-data with a boundary; send a form.")
    try:
        return await _read(MultipartReader(boundary, request.stream.read), held)
    except BadRequestError as problem:
        return problem.refusal


async def _read(reader: MultipartReader, held: HeldFile) -> "TranscriptionCall | Refusal":
    form = Form()
    early: Part | None = None
    while (part := await reader.next_part()) is not None:
        if part.filename is None:
            form.add(part.name, await reader.text(part))
            continue
        if part.name != "file":
            return invalid(part.name[:100], "file: the only part that may be a file; send one.")
        if early is not None:
            return invalid("file", TWICE)
        if form.get("model") is not None:
            return TranscriptionCall(form, part, reader)
        early = part
        await held.keep(reader.data())
    if form.get("model") is None:
        return invalid("model", "model: missing; see GET /v1/models.")
    if early is None:
        return invalid("file", "file: missing; send the sound as a part with a file name.")
    return TranscriptionCall(form, early, reader, held)


class TranscriptionCall:
    """Its fields hold, as far as they have come; its file has not been read, or is held."""

    operation = "audio.transcriptions"
    protocol: Literal["OpenAI"] = "OpenAI"
    prompt_bytes = 0
    last_words = None

    def __init__(self, form: Form, file: Part, reader: MultipartReader, held: HeldFile | None = None) -> None:
        self.model = form.get("model") or ""
        self._form = form
        self._file = file
        self._reader = reader
        self._held = held
        self._sent = False
        self._stream = form.get("stream") == "true"

    def prompt(self) -> None:
        """Engines keep nothing of sound."""

    def session(self) -> str:
        """Whoever asks."""
        return self._form.get("user") or ""

    def end_user(self) -> str:
        """`user` of the form."""
        return self._form.get("user") or ""

    whole = False

    @property
    def repeatable(self) -> bool:
        """Until a byte of the file has gone to an engine that is not held."""
        return not self._sent

    async def check(self, target: Target, pool: EnginePool) -> Refusal | None:
        """An endpoint that the engine lacks."""
        return await lacking(target, pool, PATH, self.model)

    def estimate(self, _target: Target) -> Estimate:
        """A guess for limits; nothing that a hard budget may rest on."""
        return Estimate(0, 1, MOST_TOKENS, self._why_unbounded)

    def _why_unbounded(self) -> Refusal:
        message = (
            "file: how many tokens a sound becomes is not known before it is read, and a hard budget applies to this"
            " request; use a key or model without one."
        )
        return invalid("file", message, "unbounded_input")

    def engine_request(self, admission: Admission) -> EngineRequest:
        """Another form, with a boundary of ours: the caller's fields, the engine's name of the model, the file."""
        boundary = secrets.token_hex(16)
        headers = (
            ("content-type", f"multipart/form-data; boundary={boundary}"),
            ("accept", "text/event-stream" if self._stream else "*/*"),
            ("x-request-id", admission.request_id),
            *admission.forwarded,
        )
        return EngineRequest(PATH, b"", headers, stream=self._form_again(boundary, admission.engine_model))

    async def _form_again(self, boundary: str, engine_model: str) -> AsyncIterator[bytes]:
        yield b"".join(self._fields(boundary, engine_model)) + head_of(boundary, self._file)
        if self._held is not None:
            async for piece in self._held.data():
                yield piece
        else:
            self._sent = True
            async for piece in self._rest(boundary):
                yield piece
        yield f"\r\n--{boundary}--\r\n".encode()

    async def _rest(self, boundary: str) -> AsyncIterator[bytes]:
        """What has not been read yet: the file, and fields behind it."""
        async for piece in self._reader.data():
            yield piece
        while (part := await self._reader.next_part()) is not None:
            if part.filename is not None:
                raise BadRequestError(invalid("file", TWICE))
            value = await self._reader.text(part)
            if part.name in FIRST:
                message = f"{part.name}: must come before the file; send the field first."
                raise BadRequestError(invalid(part.name, message))
            self._form.add(part.name, value)
            yield b"\r\n" + head_of(boundary, Part(part.name, None, "")) + value.encode()

    def _fields(self, boundary: str, engine_model: str) -> list[bytes]:
        ours = {"model", "stream_include_usage"}
        written = [(name, value) for name, value in self._form.fields if name not in ours]
        written.append(("model", engine_model))
        if self._stream:
            written.append(("stream_include_usage", "true"))
        return [head_of(boundary, Part(name, None, "")) + value.encode() + b"\r\n" for name, value in written]

    def answer(self, responder: Responder, headers: HeaderList, engine_model: str) -> Answer:
        """For one try."""
        if not self._stream:
            return PassedAnswer(responder, headers, self.model, counts_text=True)
        wanted = self._form.get("stream_include_usage") == "true"
        return StreamAnswer(responder, headers, self.model, engine_model, 0, wanted, CHUNKS)
