"""Safetensors: each file's header is read and held against the file's length."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
from mizzen_crds.registry import MemoryFacts, Signature

from mizzen_controlplane.models.formats.artifact import Artifact, UnfitArtifactError
from mizzen_controlplane.models.formats.language_model import config_of, facts_of, indexed_files
from mizzen_controlplane.models.formats.model_config import memory_fields

MAX_HEADER_BYTES = 100_000_000
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64,
    "C64": 64,
}  # fmt: skip


def check_safetensors(artifact: Artifact) -> Signature:
    """The signature; raises UnfitArtifactError."""
    files = artifact.named(".safetensors")
    if not files:
        raise UnfitArtifactError("Format Safetensors needs a file that ends in .safetensors, and there is none.")
    elements: Counter[str] = Counter()
    loaded = indexed_files(artifact)
    for path, content in files.items():
        found = _elements(path, content)
        if not loaded or path in loaded:  # engines load what the index names, where there is one
            elements += found
    memory = MemoryFacts(
        tensor_bytes={kind: -(-count * _BITS[kind] // 8) for kind, count in sorted(elements.items())},
        config=memory_fields(config_of(artifact), "config.json"),
    )
    return Signature(parameters=elements.total(), memory=memory, **facts_of(artifact))


def _elements(path: str, content: Path) -> Counter[str]:
    """Elements of a file's tensors, by their type."""
    header, data_bytes = _header(path, content)
    found: Counter[str] = Counter()
    spans = []
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        elements, begin, end = _tensor(path, name, tensor)
        found[tensor["dtype"]] += elements
        spans.append((begin, end))
    position = 0
    for begin, end in sorted(spans):
        if begin != position:
            raise _unfit(path, f"its tensors leave a hole or overlap at byte {position} of the data")
        position = end
    if position != data_bytes:
        raise _unfit(path, f"its header describes {position} bytes of data and the file holds {data_bytes}")
    return found


def _header(path: str, content: Path) -> tuple[dict[str, Any], int]:
    size = content.stat().st_size
    with content.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if size < 8 or not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
            raise _unfit(path, "its first 8 bytes are not the length of a header")
        try:
            header = orjson.loads(stream.read(length))
        except orjson.JSONDecodeError as error:
            raise _unfit(path, "its header is not valid JSON") from error
    if not isinstance(header, dict):
        raise _unfit(path, "its header is not a JSON object")
    return header, size - 8 - length


def _tensor(path: str, name: str, tensor: Any) -> tuple[int, int, int]:
    """Elements, first byte and end of a tensor."""
    try:
        bits, shape, (begin, end) = _BITS[tensor["dtype"]], tensor["shape"], tensor["data_offsets"]
        elements = math.prod(shape)
        fits = min([begin, end, *shape], default=0) >= 0 and (end - begin) * 8 == elements * bits
    except (KeyError, TypeError, ValueError) as error:
        raise _unfit(path, f"the header's entry of tensor {name!r} is malformed") from error
    if not fits:
        raise _unfit(path, f"the data of tensor {name!r} is not as long as its shape says")
    return elements, begin, end


def _unfit(path: str, why: str) -> UnfitArtifactError:
    return UnfitArtifactError(f"{path} is not a safetensors file: {why}. Save the weights again and push them.")
