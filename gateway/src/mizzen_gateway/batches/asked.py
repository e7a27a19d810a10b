"""What does a caller ask of batches? The body of `POST /v1/batches`, checked, as the control plane has it."""

from typing import Any

import orjson
from mizzen_crds.kept_batches import ENDPOINTS, WINDOW

from mizzen_gateway.protocols.openai.errors import invalid
from mizzen_gateway.stages import Refusal

FIELDS = frozenset({"input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after"})


def batch_asked(raw: bytes) -> dict[str, Any] | Refusal:
    """A `BatchCreate`, or what is wrong."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return Refusal(400, "invalid_json", "Body: is not JSON; send an object.")
    if not isinstance(body, dict):
        return Refusal(400, "invalid_json", "Body: is not a JSON object; send one.")
    unknown = next((name for name in body if name not in FIELDS), None)
    if unknown is not None:
        shown = unknown[:100]
        return invalid(shown, f"{shown}: not a field of this call; leave it out.", "parameter_not_allowed")
    for name, meant in (
        ("input_file_id", "the id of a file of purpose batch"),
        ("endpoint", f"one of {', '.join(ENDPOINTS)}"),
        ("completion_window", f"'{WINDOW}'"),
    ):
        if not isinstance(body.get(name), str):
            return invalid(name, f"{name}: must be {meant}.")
    metadata = body.get("metadata")
    if metadata is not None and not (
        isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values())
    ):
        return invalid("metadata", "metadata: must be an object of texts.")
    expiry = body.pop("output_expires_after", None)
    if expiry is not None:
        seconds = expiry.get("seconds") if isinstance(expiry, dict) else None
        if not isinstance(seconds, int) or isinstance(seconds, bool) or expiry.get("anchor") != "created_at":
            message = "output_expires_after: must be {'anchor': 'created_at', 'seconds': a whole number}."
            return invalid("output_expires_after", message)
        body["output_expires_seconds"] = seconds
    return body
