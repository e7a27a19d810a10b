"""Where a model's weights come from, how they are checked, and where they are kept."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from mizzen_crds.names import LONGEST_NAME, MODEL_NAME_PATTERN
from mizzen_crds.v1alpha1.metadata import DnsLabel, Quantity
from mizzen_crds.wire import AS_ONE, Resource, WholeNumber

URI_PATTERN = r"^(hf|s3|gs|az|https|oci|pvc)://[^\s]+$"
CLAIM_URI_PATTERN = r"^pvc://[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(/([^/.][^/]*|[.][^/.][^/]*|[.][.][^/]+))*$"
"""A claim's name, then parts of a path of which none is empty, `.` or `..`. Blanks are refused by URI_PATTERN."""
DIGEST_PATTERN = r"^sha256:[0-9a-f]{64}$"

Digest = Annotated[str, StringConstraints(pattern=DIGEST_PATTERN)]
Uri = Annotated[str, StringConstraints(min_length=6, max_length=2048, pattern=URI_PATTERN)]
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME, pattern=MODEL_NAME_PATTERN)]


class ModelFormat(StrEnum):
    """How the weights are stored."""

    SAFETENSORS = "Safetensors"
    ONNX = "ONNX"
    TRITON_REPOSITORY = "TritonRepository"
    GGUF = "GGUF"
    TORCH_SCRIPT = "TorchScript"


class CacheMode(StrEnum):
    """Where fetched weights are kept."""

    NONE = "None"
    VOLUME = "Volume"


class VersionRef(Resource):
    """A version in the registry, by number or by alias."""

    model_config = ConfigDict(json_schema_extra=AS_ONE)

    model: ModelName
    """Name of the model in this project."""
    version: Annotated[WholeNumber, Field(ge=1)] | None = None
    """Number of the version. Exactly one of version and alias."""
    alias: Annotated[str, StringConstraints(min_length=1, max_length=63)] | None = None
    """Alias that points at a version; the deployment follows it. Exactly one of version and alias."""


class ModelCache(Resource):
    """Where fetched weights are kept."""

    mode: CacheMode = CacheMode.NONE
    """None: an emptyDir for the life of the pod. Volume: the named claim, shared by replicas and kept."""
    claim_name: DnsLabel | None = None
    """PersistentVolumeClaim, for mode Volume."""
    size_limit: Quantity | None = None
    """Upper bound of the emptyDir, as a Quantity."""
    stall_seconds: Annotated[WholeNumber, Field(ge=10, le=86400)] = 300
    """A fetch that makes no progress for so long is started again."""


class ModelSource(Resource):
    """The model to serve: exactly one of versionRef and uri."""

    version_ref: VersionRef | None = None
    """A version in the registry, resolved to a digest that status keeps."""
    uri: Uri | None = None
    """hf://org/repo@revision, s3://, gs://, az://, https://, oci://reference@sha256:..., or pvc://claim/path."""
    secret_name: DnsLabel | None = None
    """Secret with the source's credential and a key `host`, the one host that it is sent to."""
    format: ModelFormat | None = None
    """Format of the weights; read from the registry for a versionRef."""
    digest: Digest | None = None
    """Expected digest of the artifact; a fetch that yields another one fails."""
    cache: ModelCache = ModelCache()
    """Where fetched weights are kept."""


class AdapterLoad(StrEnum):
    """When an adapter is loaded."""

    PRELOAD = "Preload"
    ON_DEMAND = "OnDemand"


class Adapter(Resource):
    """A LoRA adapter: exactly one of uri and versionRef."""

    name: ModelName
    """Name that callers put in "model"."""
    uri: Uri | None = None
    """Where the adapter comes from."""
    version_ref: VersionRef | None = None
    """A version in the registry."""
    load: AdapterLoad = AdapterLoad.PRELOAD
    """Preload: with the engine, as this release loads OnDemand too."""
