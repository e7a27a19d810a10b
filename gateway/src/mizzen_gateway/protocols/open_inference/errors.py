"""Refusals in the words of the Open Inference Protocol; an engine's own text never."""

from collections.abc import Iterable

import orjson

from mizzen_gateway.engine.exchange import Collected
from mizzen_gateway.protocols.not_taken import NOT_TAKEN, gateway_refused
from mizzen_gateway.stages import Refusal

UNSUPPORTED = 501


class OpenInferenceDialect:
    """`{"error": "..."}`."""

    def render(self, refusal: Refusal) -> bytes:
        """Body of a refusal."""
        return orjson.dumps({"error": refusal.message})


def invalid(param: str, message: str) -> Refusal:
    """400: which input, its limit, and what to do."""
    return Refusal(400, "invalid_parameter", message, param=param)


def unknown_version(model: str, version: str, served: Iterable[str] = ()) -> Refusal:
    """404: the engine's versions of one model, which have nothing to do with those of the registry."""
    there = ", ".join(map(str, served))
    has = f"it has {there}" if there else f"GET /v2/models/{model} has those that there are"
    message = f"Version '{version}': model '{model}' has no such version; {has}. Or leave /versions/{version} out."
    return Refusal(404, "version_not_found", message, param="version")


def several_answers(model: str) -> Refusal:
    """400: a call that has one answer, of a model that has any number of them."""
    message = (
        f"Model '{model}' answers one request with several responses (decoupled), or with none: call it with"
        " ModelStreamInfer of gRPC, which alone has them."
    )
    return Refusal(400, "not_offered", message, param="model")


def no_port_for_several(model: str) -> Refusal:
    """400: the same of a stream, where the engine cannot be asked by the only way that there is."""
    message = (
        f"Model '{model}' answers one request with several responses (decoupled), which engines do over gRPC"
        " alone, and its engine has no port for that; give its ServingRuntime a port named grpc, or its upstream in"
        " gateway.yaml a grpc_url."
    )
    return Refusal(400, "not_offered", message, param="model")


def has_several(held: Collected) -> bool:
    """What Triton says of a model that answers several times, asked for one answer; maybe it does not tell before."""
    return held.status == UNSUPPORTED and b"decoupled" in held.body


def engine_refused(status: int, model: str, version: str | None = None) -> Refusal:
    """What a caller is told when the engine refused the request or failed."""
    if status == 404 and version is not None:
        return unknown_version(model, version)
    if status in {400, 413, 415, 422}:
        return Refusal(
            400,
            "invalid_request",
            f"Model '{model}' cannot take this request: its inputs, outputs or parameters are outside of what it"
            f" supports; compare them with GET /v2/models/{model}.",
        )
    if status in NOT_TAKEN:
        return gateway_refused(model)
    return Refusal(502, "upstream_error", f"Model '{model}' failed while it answered; try again.")
