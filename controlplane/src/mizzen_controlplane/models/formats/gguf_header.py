"""GGUF: the mark, the version, the key-value facts and the tensors' shapes, read from the head of the file."""

import hashlib
import math
import struct
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO

from mizzen_crds.registry import MemoryFacts, Signature

from mizzen_controlplane.models.formats.artifact import MOST_ELEMENTS, Artifact, UnfitArtifactError
from mizzen_controlplane.models.formats.ggml_types import tensor_bytes
from mizzen_controlplane.models.formats.gguf_facts import as_config
from mizzen_controlplane.models.formats.model_config import memory_fields

_MAX_ENTRIES = 1_000_000
_MAX_TEXT = 64 * 1024 * 1024
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_TEXT, _ARRAY = 8, 9


def check_gguf(artifact: Artifact) -> Signature:
    """The signature; raises UnfitArtifactError."""
    files = artifact.named(".gguf")
    if not files:
        raise UnfitArtifactError("Format GGUF needs a file that ends in .gguf, and there is none.")
    read = [_read(path, content) for path, content in files.items()]
    facts = read[0][0]
    elements = sum((counted for _facts, counted in read), Counter[int]())
    architecture = str(facts.get("general.architecture", ""))
    length = facts.get(f"{architecture}.context_length")
    template = facts.get("tokenizer.chat_template")
    return Signature(
        architecture=architecture,
        context_length=length if isinstance(length, int) else None,
        chat_template_sha256=hashlib.sha256(template.encode()).hexdigest() if isinstance(template, str) else "",
        parameters=elements.total(),
        memory=_memory(next(iter(files)), facts, elements),
    )


def _memory(path: str, facts: dict[str, Any], elements: Counter[int]) -> MemoryFacts | None:
    """What decides memory; None where a tensor's type is not known, so that its bytes are not."""
    sizes = [tensor_bytes(kind, count) for kind, count in sorted(elements.items())]
    if any(size is None for size in sizes):
        return None
    return MemoryFacts(
        tensor_bytes=dict(size for size in sizes if size is not None),
        config=memory_fields(as_config(facts), path),
    )


def _read(path: str, content: Path) -> tuple[dict[str, Any], Counter[int]]:
    with content.open("rb") as stream:
        if stream.read(4) != b"GGUF":
            raise UnfitArtifactError(f"{path} is not a GGUF file: it does not begin with GGUF. Convert it again.")
        try:
            version = _number(stream, "<I")
            if version not in (2, 3):
                raise UnfitArtifactError(f"{path} is GGUF version {version}; 2 and 3 are known. Convert it again.")
            tensors, entries = _count(stream), _count(stream)
            facts = dict(_entry(stream) for _ in range(entries))
            return facts, _elements(stream, tensors)
        except (ValueError, struct.error, UnicodeDecodeError) as error:
            raise UnfitArtifactError(f"{path} is a truncated or damaged GGUF file ({error}). Push it again.") from error


def _elements(stream: BinaryIO, tensors: int) -> Counter[int]:
    """Elements of so many tensors, by the number of their type."""
    elements: Counter[int] = Counter()
    for _ in range(tensors):
        kind, count = _tensor_elements(stream)
        elements[kind] += count
    if elements.total() > MOST_ELEMENTS:
        raise ValueError(f"its tensors have {elements.total()} elements, and {MOST_ELEMENTS} is the most")
    return elements


def _entry(stream: BinaryIO) -> tuple[str, Any]:
    key = _text(stream)
    return key, _value(stream, _number(stream, "<I"))


def _value(stream: BinaryIO, kind: int) -> Any:
    if kind == _TEXT:
        return _text(stream)
    if kind != _ARRAY:
        return _number(stream, _SCALARS[kind] if kind in _SCALARS else _unknown(kind))
    inner, count = _number(stream, "<I"), _number(stream, "<Q")
    if inner in _SCALARS:
        length = struct.calcsize(_SCALARS[inner]) * count
        if len(stream.read(min(length, _MAX_TEXT))) != length:
            raise ValueError("an array is cut off or too long")
    elif inner == _TEXT and count <= _MAX_ENTRIES:
        for _ in range(count):
            _text(stream)
    else:
        _unknown(inner)
    return None  # no array is asked for; their bytes are only passed over


def _unknown(kind: int) -> str:
    raise ValueError(f"type {kind} is not known")


def _count(stream: BinaryIO) -> int:
    count: int = _number(stream, "<Q")
    if count > _MAX_ENTRIES:
        raise ValueError(f"it announces {count} entries")
    return count


def _tensor_elements(stream: BinaryIO) -> tuple[int, int]:
    """Type and number of elements of the next tensor."""
    _text(stream)
    dimensions = _number(stream, "<I")
    if dimensions > 8:
        raise ValueError(f"a tensor of {dimensions} dimensions")
    elements: int = math.prod(_number(stream, "<Q") for _ in range(dimensions))
    kind: int = _number(stream, "<I")
    _number(stream, "<Q")
    return kind, elements


def _text(stream: BinaryIO) -> str:
    length = _number(stream, "<Q")
    if length > _MAX_TEXT:
        raise ValueError("a text is too long")
    read = stream.read(length)
    if len(read) != length:
        raise ValueError("a text is cut off")
    return read.decode("utf-8", "replace")


def _number(stream: BinaryIO, kind: str) -> Any:
    return struct.unpack(kind, stream.read(struct.calcsize(kind)))[0]
