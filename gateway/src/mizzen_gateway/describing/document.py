"""The OpenAPI document: every path of `surface.py`, with what may be sent there and what comes back."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from mizzen_gateway.batches.desk import PASSED
from mizzen_gateway.describing.answers import EVENTS, JSON, RATE_HEADERS, REQUEST_ID, ref, refusals, schemas
from mizzen_gateway.describing.bodies import (
    FILE_FORM,
    OF_OPERATION,
    STREAMS,
    Schema,
    body_of,
    bounded_fields,
    inference,
    transcription_form,
)
from mizzen_gateway.describing.refusals import EVERYWHERE, OF_KEPT, OF_MODELS
from mizzen_gateway.protocols.surface import GETS, ID_LENGTH, KEPT, KEPT_PATHS, POSTS

STREAM_EVENTS: Final = {"chat.completions": "ChatChunk", "completions": "Completion", "responses": "ResponseEvent"}


@dataclass(frozen=True, slots=True)
class Said:
    """What is told of an action."""

    summary: str
    answer: str
    """Name of the answer's schema."""
    more: str = ""
    asks: bool = False
    """An engine is asked: it is limited and metered."""
    media: tuple[str, ...] = field(default=(JSON,))


SAID: Final[dict[str, Said]] = {
    "chat.completions": Said("Answer a conversation", "ChatCompletion", asks=True),
    "completions": Said("Go on with a text", "Completion", asks=True),
    "responses": Said("Answer, stateless", "Response", "Nothing is kept between requests.", asks=True),
    "embeddings": Said("Turn texts into vectors", "Embeddings", asks=True),
    "rerank": Said("Order documents by a query", "Ranking", asks=True),
    "score": Said("Score pairs of texts", "Scores", asks=True),
    "classify": Said("Label texts", "Classification", asks=True),
    "audio.transcriptions": Said(
        "Write down what a sound says",
        "Transcription",
        "`model` comes before `file`, whose bytes are not kept.",
        asks=True,
    ),
    "images.generations": Said("Make pictures", "Pictures", asks=True),
    "models.list": Said("List the models that the key may call", "ModelList"),
    "models.get": Said("One of them", "Model"),
    "files.create": Said("Keep a file for batches", "File"),
    "files.list": Said("List files", "FileList"),
    "files.get": Said("One of them", "File"),
    "files.delete": Said("Remove a file", "FileDeleted"),
    "files.content": Said("What a file holds", "Nothing", media=("application/octet-stream",)),
    "batches.create": Said("Have the lines of a file answered", "Batch"),
    "batches.list": Said("List batches", "BatchList"),
    "batches.get": Said("One of them", "Batch"),
    "batches.cancel": Said("Stop a batch", "Batch"),
    "infer": Said("Ask a model", "Inference", "JSON, or JSON and binary tensors behind it.", asks=True),
    "server.live": Said("Does it live", "Nothing"),
    "server.ready": Said("Does it take requests", "Nothing"),
    "server.metadata": Said("What answers", "ServerMetadata"),
    "model.metadata": Said("Inputs and outputs of a model", "ModelMetadata"),
    "model.ready": Said("Is a replica of the model ready", "Nothing"),
}


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a path."""

    method: str
    path: str
    action: str
    public: bool = False


def operations() -> Iterator[Operation]:
    """All that `surface.find` knows; HEAD goes with GET."""
    for path, route in POSTS.items():
        yield Operation("post", path.decode(), route.action, route.public)
    for path, route in GETS.items():
        if path != b"/v2/":  # the same as /v2
            yield Operation("get", path.decode(), route.action, route.public)
    yield Operation("get", "/v1/models/{model}", "models.get")
    for kind, entries in KEPT_PATHS.items():
        for methods, verb, action in entries:
            path_of = f"/v1/{kind}/{{id}}" + (f"/{verb}" if verb else "")
            yield from (Operation(method.decode().lower(), path_of, action) for method in methods if method != b"HEAD")
    for version in ("", "/versions/{version}"):
        base = "/v2/models/{model}" + version
        yield Operation("get", base, "model.metadata")
        yield Operation("get", f"{base}/ready", "model.ready")
        yield Operation("post", f"{base}/infer", "infer")


def document(version: str) -> dict[str, Any]:
    """The whole of it; `version` of the gateway."""
    paths: dict[str, Schema] = {}
    for one in sorted(operations(), key=lambda each: (each.path, each.method)):
        paths.setdefault(one.path, {})[one.method] = _operation(one)
    bounded = {"type": "object", "description": "Bounds, whatever the operation.", "properties": bounded_fields()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Mizzen gateway",
            "version": version,
            "description": "The OpenAI API (`/v1`) and the Open Inference Protocol (`/v2`) over HTTP.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"apiKey": []}, {"xApiKey": []}],
        "tags": [{"name": "v1", "description": "OpenAI"}, {"name": "v2", "description": "Open Inference Protocol"}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "`mzk_...`"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "api-key"},
                "xApiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
            "responses": refusals(),
            "schemas": {"BoundedFields": bounded, **schemas()},
        },
    }


def _operation(one: Operation) -> Schema:
    said, api = SAID[one.action], one.path[1:3]
    more = OF_KEPT if one.action in KEPT else OF_MODELS if said.asks else ()
    statuses = (*EVERYWHERE, *more)
    answers = {"200": _answer(one.action, said)}
    answers |= {str(status): {"$ref": f"#/components/responses/{api}_{status}"} for status in sorted(statuses)}
    found: Schema = {
        "operationId": one.action + (".version" if "{version}" in one.path else ""),
        "tags": [api],
        "summary": said.summary,
        "responses": answers,
    }
    if said.more:
        found["description"] = said.more
    parameters = list(_parameters(one))
    if parameters:
        found["parameters"] = parameters
    if one.method == "post" and one.action != "batches.cancel":
        found["requestBody"] = {"required": True, "content": _body(one.action)}
    if one.public:
        found["security"] = []
        del found["responses"]["401"]
    return found


def _answer(action: str, said: Said) -> Schema:
    if said.media == (JSON,):
        content: Schema = {JSON: {"schema": ref(said.answer)}}
    else:
        content = {media: {} for media in said.media}
    if action in STREAMS:
        content[EVENTS] = {"schema": _events(ref(STREAM_EVENTS[action]))}
    if action == "audio.transcriptions":
        content |= {
            media: {"schema": {"type": "string"}} for media in ("text/plain", "text/vtt", "application/x-subrip")
        }
        content[EVENTS] = {"schema": _events({"type": "object"})}
    if action == "infer":
        content["application/octet-stream"] = {}
    headers = {**REQUEST_ID, **RATE_HEADERS} if said.asks else {}
    return {"description": said.summary + ".", "content": content, **({"headers": headers} if headers else {})}


def _events(event: Schema) -> Schema:
    said = (
        "With `stream`: events `data: {...}`, of /v1/chat/completions and /v1/completions the last one `data: [DONE]`."
        " Lines that begin with `:` are comments, sent while a request waits for a replica. A stream that breaks off"
        " ends with one event that holds an `error`."
    )
    schema = {"anyOf": [event, ref("Error")]}
    return {"type": "string", "contentMediaType": EVENTS, "description": said, "contentSchema": schema}


def _parameters(one: Operation) -> Iterator[Schema]:
    text: Schema = {"type": "string"}
    if "{model}" in one.path:
        yield _parameter(
            "model", "path", text, "Served name, alias, or `project/model` with its slash as it is or `%2F`."
        )
    if "{version}" in one.path:
        yield _parameter("version", "path", {**text, "pattern": "^[0-9]{1,9}$"}, "The engine's own.")
    if "{id}" in one.path:
        yield _parameter("id", "path", {**text, "pattern": "^[A-Za-z0-9_-]+$", "maxLength": ID_LENGTH}, "As listed.")
    if one.action in {"files.list", "batches.list"}:
        for name in sorted(PASSED):
            yield _parameter(name, "query", text, "As OpenAI's.")
    if one.action == "infer":
        number: Schema = {"type": "integer", "minimum": 1}
        said = "Bytes of the JSON, where binary tensors follow it."
        yield _parameter("Inference-Header-Content-Length", "header", number, said)
        yield _parameter("Content-Encoding", "header", {"enum": ["gzip", "deflate", "identity"]}, "Of the body.")


def _parameter(name: str, where: str, schema: Schema, said: str) -> Schema:
    found: Schema = {"name": name, "in": where, "schema": schema, "description": said}
    return found | ({"required": True} if where == "path" else {})


def _body(action: str) -> Schema:
    if action in OF_OPERATION:
        return {JSON: {"schema": body_of(action)}}
    if action == "audio.transcriptions":
        return {"multipart/form-data": {"schema": transcription_form()}}
    if action == "files.create":
        return {"multipart/form-data": {"schema": FILE_FORM}}
    if action == "batches.create":
        return {JSON: {"schema": {"type": "object", "required": ["input_file_id", "endpoint", "completion_window"]}}}
    return {JSON: {"schema": inference()}, "application/octet-stream": {}}
