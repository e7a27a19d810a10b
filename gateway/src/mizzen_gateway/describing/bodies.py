"""What may stand in the body of each operation? Fields with the bounds that the gateway holds them to."""

from collections.abc import Callable
from typing import Any, Final

from mizzen_gateway.protocols.depth import MOST_DEPTH
from mizzen_gateway.protocols.open_inference.tensors import ITEM_BYTES
from mizzen_gateway.protocols.openai.operations import OPERATIONS
from mizzen_gateway.protocols.openai.parameters import MAX_DOCUMENTS, MAX_PROMPTS, MODEL_NAME_LENGTH, PAIRS
from mizzen_gateway.protocols.openai.responses import KEPT_ELSEWHERE
from mizzen_gateway.protocols.openai.rules import (
    DEEP,
    MAX_LOGPROBS,
    MAX_TOOLS,
    MOST_ENTRIES,
    REFUSED,
    STOP_LENGTH,
    STOP_TEXTS,
    STRIPPED,
    WHOLE,
)
from mizzen_gateway.protocols.openai.transcription import FORMATS, REPEATED, TAKEN

Schema = dict[str, Any]
MODEL: Final[Schema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": MODEL_NAME_LENGTH,
    "description": "A served name, an alias, a route, or `project/model` of another project.",
}
TEXT: Final[Schema] = {"type": "string", "minLength": 1}
FILE_FORM: Final[Schema] = {
    "type": "object",
    "properties": {"purpose": {"const": "batch"}, "file": {"type": "string", "contentMediaType": "application/jsonl"}},
    "required": ["purpose", "file"],
}
STREAMS: Final = frozenset({"chat.completions", "completions", "responses"})


def bounded_fields() -> Schema:
    """Fields that every body of JSON is held to, where it has them; null is as good as absent."""
    found: Schema = {field: _whole(low, high) for field, (low, high) in WHOLE.items()}
    found |= {field: _entries(most) for field, most in MOST_ENTRIES.items()}
    found |= {
        field: {"description": f"Passed on; at most {MOST_DEPTH} lists and objects within each other."}
        for field in DEEP
    }
    found["tools"] = {
        "type": ["array", "null"],
        "maxItems": MAX_TOOLS,
        "items": {"type": "object", "properties": {"type": {"enum": ["function", "custom"], "default": "function"}}},
        "description": "Functions that the caller runs; none that the engine would run itself.",
    }
    stop = {"type": "string", "minLength": 1, "maxLength": STOP_LENGTH}
    found["stop"] = {"anyOf": [stop, {"type": "array", "maxItems": STOP_TEXTS, "items": stop}, {"type": "null"}]}
    logprobs: Schema = {"type": "integer", "minimum": 0, "maximum": MAX_LOGPROBS}
    found["logprobs"] = {"anyOf": [{"type": "boolean"}, logprobs, {"type": "null"}]}
    found["stream"] = {"type": ["boolean", "null"]}
    found["stream_options"] = {
        "type": ["object", "null"],
        "properties": {"include_usage": {"type": "boolean"}},
        "description": "Only with `stream` true.",
    }
    found |= {field: _forbidden(why) for field, why in REFUSED.items()}
    found |= {field: {"description": "Taken out, or replaced: not for callers to set."} for field in STRIPPED}
    return dict(sorted(found.items()))


def _whole(low: int, high: int) -> Schema:
    return {"type": ["integer", "null"], "minimum": low, "maximum": high}


def _entries(most: int) -> Schema:
    return {"maxItems": most, "maxProperties": most, "description": f"A list or an object, of {most} entries at most."}


def _forbidden(why: str) -> Schema:
    return {"enum": [False, None], "description": f"Not allowed, because {why}."}


def _texts(most: int) -> Schema:
    return {
        "anyOf": [TEXT, {"type": "array", "minItems": 1, "maxItems": most}, {"type": "object"}],
        "description": f"A text, up to {most} texts, or token ids.",
    }


def _chat() -> tuple[Schema, list[Schema]]:
    message = {"$ref": "#/components/schemas/Message"}
    return {"messages": {"type": "array", "minItems": 1, "items": message}}, [{"required": ["messages"]}]


def _completion() -> tuple[Schema, list[Schema]]:
    return {"prompt": _texts(MAX_PROMPTS)}, [{"required": ["prompt"]}]


def _read() -> tuple[Schema, list[Schema]]:
    fields, conversation = _chat()
    return {"input": _texts(MAX_DOCUMENTS), **fields}, [{"oneOf": [{"required": ["input"]}, *conversation]}]


def _ranking() -> tuple[Schema, list[Schema]]:
    query = {"anyOf": [TEXT, {"type": "object"}]}
    return {"query": query, "documents": _texts(MAX_DOCUMENTS)}, [{"required": ["query", "documents"]}]


def _scoring() -> tuple[Schema, list[Schema]]:
    fields = {name: _texts(MAX_DOCUMENTS) for pair in PAIRS for name in pair}
    return fields, [{"oneOf": [{"required": list(pair)} for pair in PAIRS]}]


def _responses() -> tuple[Schema, list[Schema]]:
    given = {"anyOf": [TEXT, {"type": "array", "minItems": 1, "items": {"type": "object"}}]}
    kept = {
        field: {"enum": [False, None], "description": f"Not offered, because {why}."}
        for field, why in KEPT_ELSEWHERE.items()
    }
    return {"input": given, **kept}, [{"required": ["input"]}]


def _picture() -> tuple[Schema, list[Schema]]:
    return {"prompt": TEXT, "response_format": {"enum": ["b64_json", None]}}, [{"required": ["prompt"]}]


OF_OPERATION: Final[dict[str, Callable[[], tuple[Schema, list[Schema]]]]] = {
    "chat.completions": _chat,
    "completions": _completion,
    "responses": _responses,
    "embeddings": _read,
    "classify": _read,
    "rerank": _ranking,
    "score": _scoring,
    "images.generations": _picture,
}
"""Fields of its own, and what it must have."""


def body_of(action: str) -> Schema:
    """The schema of an operation whose body is JSON."""
    fields, needs = OF_OPERATION[action]()
    caps = OPERATIONS[action].caps
    said = f" What caps its output: {', '.join(f'`{cap}`' for cap in caps)}." if caps else ""
    return {
        "description": "Fields that stand nowhere here are passed on to the engine." + said,
        "type": "object",
        "properties": {"model": MODEL, **fields},
        "required": ["model"],
        "allOf": [{"$ref": "#/components/schemas/BoundedFields"}, *needs],
    }


def transcription_form() -> Schema:
    """The form of a transcription: no other field is taken."""
    fields: Schema = {name: {"type": "string"} for name in sorted(TAKEN)}
    fields |= {name: {"type": "array", "items": {"type": "string"}} for name in sorted(REPEATED)}
    low, high = WHOLE["max_completion_tokens"]
    fields["max_completion_tokens"] = {"type": "integer", "minimum": low, "maximum": high}
    fields |= {name: {"type": "boolean"} for name in ("stream", "stream_include_usage")}
    fields |= {"response_format": {"enum": sorted(FORMATS)}, "model": MODEL}
    fields["file"] = {
        "type": "string",
        "contentMediaType": "application/octet-stream",
        "description": "The sound, last.",
    }
    return {"type": "object", "properties": fields, "required": ["model", "file"], "additionalProperties": False}


def inference() -> Schema:
    """The JSON of an inference; binary tensors follow it."""
    tensor: Schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "datatype": {"enum": [*sorted(ITEM_BYTES), "BYTES"]},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 2**40 - 1}},
            "data": {"type": "array"},
            "parameters": {"type": "object", "properties": {"binary_data_size": {"type": "integer", "minimum": 0}}},
        },
        "required": ["name", "datatype", "shape"],
    }
    fields: Schema = {
        "id": {"type": "string"},
        "inputs": {"type": "array", "minItems": 1, "items": tensor},
        "outputs": {"type": "array", "items": {"type": "object", "required": ["name"]}},
        "parameters": {"type": "object"},
    }
    return {"type": "object", "properties": fields, "required": ["inputs"]}
