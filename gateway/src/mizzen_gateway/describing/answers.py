"""What does each operation answer? Schemas of answers, of the events of streams, and of refusals."""

from typing import Any, Final

from mizzen_crds.kept_files import FileDeleted, FileList, FileObject
from pydantic import BaseModel

from mizzen_gateway.describing.refusals import REFUSALS, RETRIED

Schema = dict[str, Any]
JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"
RATE_HEADERS: Final[dict[str, Schema]] = {
    f"x-ratelimit-{what}-{unit}": {
        "schema": {"type": "string"},
        "description": f"{said} of the tightest limit of {unit}.",
    }
    for unit in ("requests", "tokens")
    for what, said in (("limit", "Amount"), ("remaining", "What is left"), ("reset", "Until all of it is back,"))
}
REQUEST_ID: Final[dict[str, Schema]] = {
    "x-request-id": {"schema": {"type": "string"}, "description": "Id of the request, and of its usage row."}
}


def ref(name: str) -> Schema:
    """A named schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def object_with(description: str, **fields: Schema) -> Schema:
    """An object that has these fields, and others of the engine's."""
    return {"type": "object", "description": description, "properties": fields, "required": sorted(fields)}


def a_list(items: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": items}


TEXT: Final[Schema] = {"type": "string"}
NUMBER: Final[Schema] = {"type": "integer"}
THING: Final[Schema] = {"type": "object"}
OPTIONAL_TEXT: Final[Schema] = {"type": ["string", "null"]}


def schemas() -> dict[str, Schema]:
    """By name."""
    usage = object_with("Tokens, as the engine told them.", prompt_tokens=NUMBER, total_tokens=NUMBER)
    error = {
        "type": "object",
        "properties": {"message": TEXT, "type": TEXT, "param": OPTIONAL_TEXT, "code": TEXT},
        "required": ["message", "type", "param", "code"],
        "additionalProperties": False,
    }
    return {
        "Error": {
            "type": "object",
            "properties": {"error": error},
            "required": ["error"],
            "additionalProperties": False,
        },
        "OpenInferenceError": {"type": "object", "properties": {"error": TEXT}, "required": ["error"]},
        "Message": object_with("A turn of a conversation.", role=TEXT),
        "Usage": usage,
        "ChatCompletion": object_with("As OpenAI's.", id=TEXT, object=TEXT, model=TEXT, choices=a_list(THING)),
        "ChatChunk": object_with(
            "An event of a stream; the last before `[DONE]` has `usage` and no choice, where it was asked for.",
            id=TEXT,
            object=TEXT,
            model=TEXT,
            choices=a_list(THING),
        ),
        "Completion": object_with("As OpenAI's.", id=TEXT, object=TEXT, model=TEXT, choices=a_list(THING)),
        "Response": object_with("As OpenAI's, not kept.", id=TEXT, object=TEXT, model=TEXT, output=a_list(THING)),
        "ResponseEvent": object_with("As OpenAI's; the last is `response.completed`.", type=TEXT),
        "Embeddings": object_with("As OpenAI's.", object=TEXT, data=a_list(THING), model=TEXT, usage=ref("Usage")),
        "Ranking": object_with("Documents, the best first.", results=a_list(THING)),
        "Scores": object_with("A score for each pair.", data=a_list(THING)),
        "Classification": object_with("Label and probabilities of each text.", data=a_list(THING)),
        "Transcription": object_with("The text.", text=TEXT),
        "Pictures": object_with("Pictures as base64.", data=a_list(object_with("One.", b64_json=TEXT))),
        **_looked_up(),
    }


def _looked_up() -> dict[str, Schema]:
    """What is answered without an engine's work, and what tensors are answered with."""
    tensor = object_with(
        "A tensor: `data` in JSON, or the bytes behind it.", name=TEXT, datatype=TEXT, shape=a_list(NUMBER)
    )
    return {
        "Model": object_with(
            "A model that the key may call. `endpoints` is null where no engine has told yet.",
            id=TEXT,
            object={"const": "model"},
            created=NUMBER,
            owned_by=TEXT,
            max_model_len={"type": ["integer", "null"]},
            ready={"type": "boolean"},
            endpoints={"type": ["array", "null"], "items": TEXT},
        ),
        "ModelList": object_with("All of them.", object={"const": "list"}, data=a_list(ref("Model"))),
        "Batch": object_with("As OpenAI's.", id=TEXT, object={"const": "batch"}, status=TEXT),
        "BatchList": object_with("Batches, one page.", object={"const": "list"}, data=a_list(ref("Batch"))),
        "File": _of(FileObject),
        "FileList": _of(FileList),
        "FileDeleted": _of(FileDeleted),
        "Tensor": tensor,
        "Inference": object_with("Outputs.", model_name=TEXT, outputs=a_list(ref("Tensor"))),
        "ServerMetadata": object_with("What answers.", name=TEXT, version=TEXT, extensions=a_list(TEXT)),
        "ModelMetadata": object_with(
            "Inputs and outputs of a model.", name=TEXT, inputs=a_list(THING), outputs=a_list(THING)
        ),
        "Nothing": {"type": "object", "description": "The status says it."},
    }


def _of(model: type[BaseModel]) -> Schema:
    """A message of ours; what stands inside of it is there by its own name."""
    found: Schema = model.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    found.pop("$defs", None)
    if "data" in found["properties"]:
        found["properties"]["data"]["items"] = ref("File")
    return found


def refusals() -> dict[str, Schema]:
    """Responses by name: `v1_429`, `v2_429`."""
    found: dict[str, Schema] = {}
    for status, codes in REFUSALS.items():
        listed = "; ".join(f"`{code}`: {when}" for code, when in sorted(codes.items()))
        headers: dict[str, Schema] = {}
        if status in RETRIED:
            headers["retry-after"] = {"schema": {"type": "string"}, "description": "Seconds until another try may do."}
        if status == 429:
            headers["retry-after-ms"] = {"schema": {"type": "string"}, "description": "The same in milliseconds."}
            headers["x-should-retry"] = {
                "schema": {"const": "false"},
                "description": "With budget_exceeded: no try helps.",
            }
        if status == 405:
            headers["allow"] = {"schema": {"type": "string"}, "description": "Methods of the path."}
        for api, schema in (("v1", "Error"), ("v2", "OpenInferenceError")):
            found[f"{api}_{status}"] = {
                "description": listed,
                "content": {JSON: {"schema": _with_codes(ref(schema), codes, api)}},
                **({"headers": headers} if headers else {}),
            }
    return found


def _with_codes(schema: Schema, codes: dict[str, str], api: str) -> Schema:
    if api == "v2":
        return schema
    error = {"properties": {"code": {"enum": sorted(codes)}}}
    return {"allOf": [schema, {"properties": {"error": error}}]}
