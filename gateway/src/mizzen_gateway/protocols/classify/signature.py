"""Is a model of tensors a classifier of text? Its inputs and outputs tell."""

from dataclasses import dataclass
from math import prod

from mizzen_gateway.protocols.open_inference.metadata import ModelMetadata, Tensor

FLOATS = frozenset({"FP16", "FP32", "FP64", "BF16"})
LABELS = frozenset({"BYTES", "INT64", "INT32"})
WANTED = (
    "one input of texts (BYTES, a text a row), one output of probabilities (floating point, a row a text), and perhaps"
    " one of labels (BYTES or whole numbers)"
)


@dataclass(frozen=True, slots=True)
class Signature:
    """Names of the tensors that matter."""

    texts: str
    texts_rank: int
    """1 or 2: [n] or [n, 1]."""
    probabilities: str
    labels: str | None
    max_batch: int
    """Texts in one request; 0 for any number."""


def signature_of(metadata: ModelMetadata) -> Signature | None:
    """None where the model is no classifier of text."""
    needed = [one for one in metadata.inputs.values() if not one.optional]
    floats = [one for one in metadata.outputs.values() if one.datatype in FLOATS]
    labels = [one for one in metadata.outputs.values() if one.datatype in LABELS]
    if len(needed) != 1 or len(floats) != 1 or len(labels) > 1 or not _takes_texts(needed[0]):
        return None
    texts = needed[0]
    limit = metadata.max_batch or max(0, texts.shape[0])
    return Signature(texts.name, len(texts.shape), floats[0].name, labels[0].name if labels else None, limit)


def _takes_texts(tensor: Tensor) -> bool:
    rank = len(tensor.shape)
    return tensor.datatype == "BYTES" and rank in {1, 2} and abs(prod(tensor.shape[1:])) == 1
