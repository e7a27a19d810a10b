"""What the registry tells those who run models: the artifact behind a reference, its files and its signature."""

from datetime import datetime

from mizzen_crds.wire import Message


class TensorSpec(Message):
    """An input or an output."""

    name: str
    """Name."""
    datatype: str
    """As in the Open Inference Protocol: BYTES, FP32, INT64, ..."""
    shape: list[int]
    """Shape without the batch dimension where `batched`; -1 for any size."""


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
