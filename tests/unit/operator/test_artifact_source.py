"""What people read as the model of a deployment: its version's name and number, or the uri."""

from datetime import UTC, datetime

from mizzen_crds.registry import ResolvedVersion, Signature
from mizzen_crds.v1alpha1.model_deployment.source import ModelSource
from mizzen_operator.kinds.model_deployment.artifact import artifact_of_uri, artifact_of_version


def test_a_version_is_named_by_its_model_and_number():
    made = datetime(2026, 1, 1, tzinfo=UTC)
    version = ResolvedVersion(
        version_id="mv_1", model="sentiment", version=3, digest="sha256:a", format="ONNX", size_bytes=1,
        state="READY", signature=Signature(), created_at=made,
    )  # fmt: skip
    assert artifact_of_version(version).to_status().source == "sentiment@3"


def test_a_uri_is_named_by_itself():
    assert artifact_of_uri(ModelSource(uri="hf://a/b")).to_status().source == "hf://a/b"
