"""What does a step of a pipeline ask its model, and what has it said? Texts and tensors, by the names of the route.

A language model takes `prompt` and gives `text`; a model of tensors takes and gives its own. A text becomes a tensor of
one string, and a tensor of one string a text; nothing else is converted.
"""

from typing import Any

import orjson
import structlog

from mizzen_gateway.protocols.open_inference.metadata import ModelMetadata
from mizzen_gateway.routing.route import StepFacts
from mizzen_gateway.stages import Refusal

Value = str | dict[str, Any]
"""A text, or a tensor as the Open Inference Protocol writes it in JSON."""
Values = dict[str, Value]
Body = dict[str, Any]
PROMPT, TEXT = "prompt", "text"
CALLED_BY = {"chat.completions": "OpenAI", "completions": "OpenAI", "infer": "OpenInference"}

log = structlog.get_logger(__name__)


def does_not_fit(step: StepFacts, what: str) -> Refusal:
    """400: a step cannot be asked with what there is."""
    message = f"Pipeline, step '{step.name}': {what}; send what the pipeline takes, or correct the route."
    return Refusal(400, "invalid_request", message)


def values_of_request(operation: str, body: Body) -> Values:
    """What a caller sent, as inputs of steps."""
    if operation == "infer":
        return values_of_tensors(body.get("inputs"))
    text = body.get("prompt") if operation == "completions" else _last_said(body.get("messages"))
    return {PROMPT: text, TEXT: text} if isinstance(text, str) else {}


def values_of_answer(protocol: str, body: bytes) -> Values:
    """What a step's model said."""
    document = orjson.loads(body)
    if protocol == "OpenInference":
        return values_of_tensors(document.get("outputs"))
    choice = (document.get("choices") or [{}])[0]
    text = (choice.get("message") or {}).get("content")
    return {TEXT: text} if isinstance(text, str) else {}


def values_of_tensors(tensors: Any) -> Values:
    """Those whose data stand in the JSON."""
    listed = tensors if isinstance(tensors, list) else []
    return {one["name"]: one for one in listed if isinstance(one, dict) and "data" in one and "name" in one}


def chat_of(step: StepFacts, known: dict[str, Values], before: str) -> str | Refusal:
    """The prompt of a language model."""
    for name, source, output in step.inputs:
        if name != PROMPT:
            why = f"a language model has no input '{name}', only '{PROMPT}'"
            log.warning("pipeline cannot be asked; correct its route", step=step.name, why=why)
            return does_not_fit(step, why)
        text = _text(known[source].get(output))
        return text if text is not None else does_not_fit(step, f"'{output}' of '{source}' is no text")
    texts = [text for value in known[before].values() if (text := _text(value)) is not None]
    return (
        texts[0] if len(set(texts)) == 1 else does_not_fit(step, f"'{before}' gives {len(set(texts))} texts, not one")
    )


def tensors_of(
    step: StepFacts, known: dict[str, Values], before: str, metadata: ModelMetadata | None
) -> list[Body] | Refusal:
    """The inputs of a model of tensors."""
    wanted = step.inputs or tuple((name, before, name) for name in known[before])
    if not step.inputs and metadata is not None and len(metadata.inputs) == 1 and TEXT in known[before]:
        wanted = ((next(iter(metadata.inputs)), before, TEXT),)
    made: list[Body] = []
    for name, source, output in wanted:
        value = known[source].get(output)
        if value is None:
            return does_not_fit(step, f"'{source}' has no '{output}'")
        made.append(_string(name, value, metadata) if isinstance(value, str) else _renamed(name, value))
    return made


def _string(name: str, text: str, metadata: ModelMetadata | None) -> Body:
    described = metadata.inputs.get(name) if metadata is not None else None
    shape = [1] * len(described.shape) if described is not None else [1]
    return {"name": name, "datatype": "BYTES", "shape": shape, "data": [text]}


def _renamed(name: str, tensor: Body) -> Body:
    return {field: tensor[field] for field in ("datatype", "shape", "data") if field in tensor} | {"name": name}


def _text(value: Value | None) -> str | None:
    if value is None or isinstance(value, str):
        return value
    data = value.get("data")
    while isinstance(data, list) and len(data) == 1:
        data = data[0]
    return data if isinstance(data, str) and value.get("datatype") == "BYTES" else None


def _last_said(messages: Any) -> str | None:
    """The last message of a user, where it is a text."""
    listed = messages if isinstance(messages, list) else []
    said = [one.get("content") for one in listed if isinstance(one, dict) and one.get("role") == "user"]
    return said[-1] if said and isinstance(said[-1], str) else None
