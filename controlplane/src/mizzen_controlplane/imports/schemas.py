"""Imports on the wire."""

from typing import Annotated

from mizzen_crds.v1alpha1.model_deployment.source import ModelFormat
from pydantic import Field, StringConstraints

from mizzen_controlplane.imports.source import LONGEST
from mizzen_controlplane.kit.wire import Body, Labels, example
from mizzen_controlplane.models.records.schemas import Tags
from mizzen_controlplane.models.schemas import FilePath, Metadata

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\\]+$")]


class VersionImport(Body):
    """A new version whose files are fetched."""

    model_config = example(
        {
            "source": "https://models.example.com/sentiment/model.onnx",
            "sha256": {"model.onnx": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        }
    )

    source: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST)]
    """`https://host/path/model.onnx`, or a folder `https://host/path/` with `files`; `hf://organization/name@revision`;
    `mlflow://host/models:/name/version`; `s3://bucket/prefix?region=...&endpoint=https://host:port`;
    `oci://host/repository:tag`."""
    files: Annotated[list[Pattern], Field(max_length=100)] = Field(default_factory=list)
    """Only these: names below a folder of `https://`; elsewhere patterns such as `*.safetensors`."""
    sha256: Annotated[dict[FilePath, Sha256], Field(max_length=10_000)] = Field(default_factory=dict)
    """Path -> hex digest that the file must have."""
    credential: Annotated[str, StringConstraints(max_length=64)] | None = None
    """Id or name of an import credential of the project, for the host of the source; null for none."""
    format: ModelFormat | None = None
    """How the weights are stored; null where the names of the files tell."""
    metadata: Metadata = Field(default_factory=dict)
    """The caller's own facts, such as accuracy."""
    labels: Labels = Field(default_factory=dict)
    """The caller's own."""
    tags: Tags = Field(default_factory=dict)
    """Names and values of any kind, as MLflow's."""
