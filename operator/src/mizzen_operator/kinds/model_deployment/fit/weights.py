"""How many bytes do the weights take once they are loaded? From the headers where they are known, else counted."""

from collections.abc import Mapping
from typing import Final

from mizzen_operator.kinds.model_deployment.fit.parameters import Parameters
from mizzen_operator.kinds.model_deployment.fit.quantisation import Quantisation

WIDTHS: Final = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "float64": 8, "float32": 4, "float": 4, "float16": 2, "half": 2,
    "bfloat16": 2,
}  # fmt: skip
"""Bytes of an element, in the words of headers, of config.json and of an engine's flags."""


def loaded_from_headers(tensor_bytes: Mapping[str, int], width: int, *, quantised: bool) -> int:
    """Return the bytes that the tensors take in memory.

    An engine casts plain weights to the type that it computes with, `width` bytes wide; a quantised checkpoint is kept
    as it is stored, its scales in their own precision.
    """
    if quantised:
        return sum(tensor_bytes.values())
    return sum(
        stored // WIDTHS[kind] * width if kind in WIDTHS else stored  # whole numbers and 8-bit floats stay
        for kind, stored in tensor_bytes.items()
    )


def counted(parameters: Parameters, width: int, quantisation: Quantisation | None) -> int:
    """Return the bytes of so many parameters; embeddings, output, norms and routers are never quantised."""
    if quantisation is None:
        return parameters.total * width
    packed = parameters.expert + (0 if quantisation.experts_only else parameters.linear)
    return (parameters.total - packed) * width + round(packed * quantisation.bits / 8)


def computing_width(asked: str) -> int:
    """Return the bytes of the type that the engine computes with; `asked` is its flag, empty or auto for its choice.

    vLLM takes the checkpoint's type, and 16 bits for a checkpoint of 32 (`_resolve_auto_dtype` in its config/model.py).
    """
    return WIDTHS.get(asked, 2)
