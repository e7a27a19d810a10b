"""What the registry tells those who run models: the artifact behind a reference, its files and its signature."""

from datetime import datetime

from pydantic import JsonValue

from mizzen_crds.wire import Message


class TensorSpec(Message):
    """An input or an output."""

    name: str
    """Name."""
    datatype: str
    """As in the Open Inference Protocol: BYTES, FP32, INT64, ..."""
    shape: list[int]
    """Shape without the batch dimension where `batched`; -1 for any size."""


class MemoryFacts(Message):
    """What headers and configuration tell about the memory that an artifact needs; no tensor is read for it."""

    tensor_bytes: dict[str, int] = {}
    """Bytes of all tensors by their type, in the words of the files: BF16, F8_E4M3, Q4_K, FLOAT16."""
    config: dict[str, JsonValue] = {}
    """Fields of a Hugging Face config.json that decide memory; a GGUF file's facts are told in the same words."""


class Signature(Message):
    """What a caller sees of a version."""

    inputs: list[TensorSpec] = []
    """Inputs, in order."""
    outputs: list[TensorSpec] = []
    """Outputs, in order."""
    batched: bool = False
    """The first dimension of every tensor, not in its shape, is the batch."""
    architecture: str = ""
    """For language models: the architecture's name."""
    context_length: int | None = None
    """For language models: tokens of context."""
    chat_template_sha256: str = ""
    """For language models: digest of the chat template, empty for none."""
    parameters: int | None = None
    """Number of parameters, where the artifact tells."""
    memory: MemoryFacts | None = None
    """What decides its memory; null for formats that tell nothing, and for versions of releases that did not ask."""


class ArtifactFile(Message):
    """One file of a version."""

    path: str
    """Relative path, `/` between its parts."""
    size: int
    """Bytes."""
    sha256: str
    """Hex digest of the content."""


class ArtifactManifest(Message):
    """Every file of a version. Its digest is sha256 over the lines `<sha256>  <size>  <path>` plus newline, by path."""

    version_id: str
    """mv_..."""
    digest: str
    """sha256:..."""
    format: str
    """Format, as in ModelFormat."""
    files: list[ArtifactFile]
    """Files, by path."""
    allow_code: bool = False
    """The project allows artifacts that carry code."""


class ResolvedVersion(Message):
    """Answer of `GET /internal/v1/models:resolve`."""

    version_id: str
    """mv_..."""
    model: str
    """Model's name."""
    version: int
    """Number."""
    digest: str
    """sha256:..."""
    format: str
    """Format."""
    size_bytes: int
    """Bytes of all files."""
    state: str
    """READY; others are refused."""
    signature: Signature
    """What a caller sees."""
    allow_code: bool = False
    """The project allows artifacts that carry code."""
    created_at: datetime
    """When the version was made, UTC."""
