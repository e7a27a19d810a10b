"""Models, versions and aliases on the wire."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

import orjson
from mizzen_crds.names import ALIAS_PATTERN, LONGEST_NAME
from mizzen_crds.registry import Signature
from mizzen_crds.v1alpha1.model_deployment.source import ModelFormat, ModelName
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from mizzen_controlplane.kit.wire import Body, Labels, Resource, example
from mizzen_controlplane.models.records.schemas import Lineage, Tags, TagsPatch

MAX_FILES = 10_000
MAX_FILE_BYTES = 1 << 43
MAX_METADATA_BYTES = 64 * 1024
BOOKKEEPING_PREFIX = ".mizzen"
"""What those who fetch an artifact write beside its files begins so."""


class VersionState(StrEnum):
    """Where a version stands."""

    PENDING = "PENDING"
    READY = "READY"
    QUARANTINED = "QUARANTINED"
    FAILED = "FAILED"
    ARCHIVED = "ARCHIVED"


def _safe_path(path: str) -> str:
    parts = path.split("/")
    if path.startswith("/") or any(part in ("", ".", "..") for part in parts) or "\\" in path or not path.isprintable():
        raise ValueError(
            "a path is relative, with `/` between its parts and without `.`, `..`, `\\` or control characters"
        )
    if path.startswith(BOOKKEEPING_PREFIX):
        raise ValueError(f"a path begins with {BOOKKEEPING_PREFIX!r} only where Mizzen keeps its own books; rename it")
    return path


def _small_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    if len(orjson.dumps(metadata)) > MAX_METADATA_BYTES:
        raise ValueError(f"metadata is over {MAX_METADATA_BYTES} bytes; keep large results elsewhere and store a link")
    return metadata


FilePath = Annotated[str, StringConstraints(min_length=1, max_length=512), AfterValidator(_safe_path)]
Metadata = Annotated[dict[str, Any], AfterValidator(_small_metadata)]
AliasName = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME, pattern=ALIAS_PATTERN)]


class EvaluationGate(Body):
    """A result that a version must have."""

    metric: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    """Name of the metric, as it is posted."""
    min: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """The least; null for none."""
    max: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """The most, for metrics of which less is better; null for none."""

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("give min, max or both: without them every value would do")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max, so no value would do")
        return self


class Promotion(Body):
    """What a version must be like for an alias to move to it."""

    require: Literal["compatible-signature"] | None = None
    """`compatible-signature`: nothing breaks callers of the version that the alias points at now."""
    evaluation: EvaluationGate | None = None
    """A result that counts must be in its bounds."""


class SignatureRelation(StrEnum):
    """How a signature stands to an earlier one."""

    COMPATIBLE = "compatible"
    WIDENING = "widening"
    BREAKING = "breaking"


class ModelCreate(Body):
    """A new model."""

    model_config = example(
        {
            "name": "sentiment",
            "description": "praise or blame",
            "tags": {"task": "classification"},
        }
    )

    name: ModelName
    """Unique in the project."""
    description: Annotated[str, StringConstraints(max_length=2000)] = ""
    """For people."""
    labels: Labels = Field(default_factory=dict)
    """The caller's own."""
    tags: Tags = Field(default_factory=dict)
    """Names and values of any kind, as MLflow's."""


class ModelPatch(Body):
    """What of a model may change."""

    model_config = example({"description": "praise or blame, in five languages"})

    description: Annotated[str, StringConstraints(max_length=2000)] | None = None
    """For people."""
    promotion: Promotion | None = None
    """What aliases may be moved to; null for any READY version."""
    tags: TagsPatch | None = None
    """Merged into the tags; null removes one."""
    labels: Labels | None = None
    """The caller's own."""


class ModelView(Resource):
    """A model."""

    project: str
    """Name of its project."""
    description: str
    """For people."""
    promotion: Promotion | None
    """What aliases may be moved to; null for any READY version."""
    tags: dict[str, str]
    """Names and values of any kind, as MLflow's."""
    latest_version: int
    """Number of its newest version, 0 for none."""


class AnnouncedFile(Body):
    """A file that will be uploaded."""

    path: FilePath
    """Relative path, `/` between its parts."""
    size: Annotated[int, Field(ge=0, le=MAX_FILE_BYTES)]
    """Bytes."""
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """Hex digest of the content, in lower case."""


class VersionCreate(Body):
    """A new version: all its files are announced at once, then uploaded, then finalized."""

    model_config = example(
        {
            "format": "ONNX",
            "files": [
                {
                    "path": "model.onnx",
                    "size": 1048576,
                    "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                }
            ],
            "tags": {"accuracy": "0.93"},
        }
    )

    format: ModelFormat
    """How the weights are stored."""
    files: Annotated[list[AnnouncedFile], Field(min_length=1, max_length=MAX_FILES)]
    """Every file."""
    metadata: Metadata = Field(default_factory=dict)
    """The caller's own facts, such as accuracy."""
    labels: Labels = Field(default_factory=dict)
    """The caller's own."""
    tags: Tags = Field(default_factory=dict)
    """Names and values of any kind, as MLflow's."""
    lineage: Lineage = Field(default_factory=Lineage)
    """Where it comes from."""


class VersionPatch(Body):
    """What of a version may change: what people say of it, never the artifact."""

    model_config = example({"tags": {"accuracy": "0.93"}})

    metadata: Metadata | None = None
    """Merged into the metadata; null removes a field."""
    tags: TagsPatch | None = None
    """Merged into the tags; null removes one."""
    lineage: Lineage | None = None
    """Fields that are given are replaced, null removes one, the others stay."""
    labels: Labels | None = None
    """Replaces the labels."""


class FileView(BaseModel):
    """One file of a version."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    path: str
    """Relative path."""
    size: int
    """Bytes."""
    sha256: str
    """Hex digest."""
    received: bool
    """All bytes are here, so nothing is to be uploaded."""


class ByteRange(BaseModel):
    """Bytes that are here."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    first: int
    """Offset of the first."""
    end: int
    """Offset after the last."""


class UploadView(BaseModel):
    """How far the upload of a file is."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    path: str
    """Relative path."""
    size: int
    """Bytes of the whole."""
    received: bool
    """All bytes are here, and their digest is right."""
    part_bytes: int
    """Length of every part but the last; a part begins at each multiple of it."""
    ranges: list[ByteRange]
    """Bytes that are here, in order."""


class VersionView(Resource):
    """A version, without its files."""

    project: str
    """Name of its project."""
    model: str
    """Name of its model."""
    version: int
    """Its number."""
    format: str
    """How the weights are stored."""
    state: VersionState
    """Where it stands."""
    reason: str
    """Why it FAILED or is QUARANTINED, and what to do."""
    digest: str
    """sha256:... over the lines `<sha256>  <size>  <path>`."""
    size_bytes: int
    """Bytes of all files."""
    signature: Signature
    """What a caller sees; read from the artifact."""
    metadata: dict[str, Any]
    """The caller's own facts."""
    tags: dict[str, str]
    """Names and values of any kind, as MLflow's."""
    aliases: list[str]
    """Aliases that point at it."""
    ready_at: datetime | None
    """When it became READY."""
    verified_at: datetime | None
    """When all of its content was last read again and found right."""
    created_by: str
    """Who made it."""


class VersionDetail(VersionView):
    """A version with its files."""

    lineage: Lineage
    """Where it comes from, as its makers say."""
    files: list[FileView]
    """Files, by path."""


class AliasPut(Body):
    """Where an alias points."""

    model_config = example({"version": 7})

    version: Annotated[int, Field(ge=1, le=2**31 - 1)]
    """Number of a READY version."""


class AliasView(Resource):
    """A name that points at a version."""

    model: str
    """Name of its model."""
    version: int
    """Number of the version."""


class AliasForce(Body):
    """Where an alias points, whatever the model asks of promotions."""

    model_config = example({"version": 6, "reason": "version 7 answers wrong"})

    version: Annotated[int, Field(ge=1, le=2**31 - 1)]
    """Number of a READY version."""
    reason: Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00]*\S[^\x00]*$")]
    """For the audit trail."""


class Difference(BaseModel):
    """One thing that a caller of the one version would notice with the other."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    field: str
    """What differs, such as `signature.inputs.text.datatype`."""
    before: Any
    """In `from`; null where it is not there."""
    after: Any
    """In `to`; null where it is not there."""
    widening: bool
    """Callers of `to` may do more than those of `from`: they cannot go back."""
    breaking: bool
    """Callers of `from` may fail."""
    detail: str
    """For people."""


class Comparison(BaseModel):
    """What a caller would notice."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    model: str
    """Name of the model."""
    from_version: int
    """The one."""
    to_version: int
    """The other."""
    compatible: bool
    """No difference is breaking."""
    signature: SignatureRelation
    """How the signature of `to` stands to that of `from`."""
    differences: list[Difference]
    """Breaking ones first."""
