"""What breaks callers is told from what does not."""

from datetime import UTC, datetime
from typing import Any

import pytest
from mizzen_controlplane.models.comparison import compare
from mizzen_controlplane.models.records.schemas import Lineage
from mizzen_controlplane.models.schemas import VersionDetail
from mizzen_crds.registry import Signature, TensorSpec


def a_version(number: int, **signature: Any) -> VersionDetail:
    now = datetime.now(UTC)
    return VersionDetail(
        id=f"mv_{number}", name=str(number), created_at=now, updated_at=now, etag="", project="p", model="m",
        version=number, format="ONNX", state="READY", reason="", digest="sha256:0", size_bytes=1,
        signature=Signature(**signature), metadata={}, tags={}, aliases=[], ready_at=now, verified_at=None,
        created_by="admin", lineage=Lineage(), files=[],
    )  # fmt: skip


def x(shape: list[int], datatype: str = "FP32", name: str = "x") -> TensorSpec:
    return TensorSpec(name=name, datatype=datatype, shape=shape)


@pytest.mark.parametrize(
    ("before", "after", "compatible"),
    [
        ({"inputs": [x([4])]}, {"inputs": [x([4])]}, True),
        ({"inputs": [x([4])]}, {"inputs": [x([-1])]}, True),
        ({"inputs": [x([-1])]}, {"inputs": [x([4])]}, False),
        ({"outputs": [x([-1])]}, {"outputs": [x([4])]}, True),
        ({"outputs": [x([4])]}, {"outputs": [x([-1])]}, False),
        ({"inputs": [x([4])]}, {"inputs": [x([4], "FP16")]}, False),
        ({"inputs": [x([4])]}, {"inputs": [x([4]), x([1], name="new")]}, False),
        ({"outputs": [x([4])]}, {"outputs": [x([4]), x([1], name="new")]}, True),
        ({"outputs": [x([4])]}, {"outputs": []}, False),
        ({"batched": True}, {"batched": False}, False),
        ({"context_length": 8}, {"context_length": 16}, True),
        ({"context_length": 16}, {"context_length": 8}, False),
        ({"chat_template_sha256": "a"}, {"chat_template_sha256": "b"}, True),
        ({"chat_template_sha256": "a"}, {}, False),
    ],
)
def test_only_what_makes_callers_fail_is_breaking(
    before: dict[str, Any], after: dict[str, Any], compatible: bool
) -> None:
    assert compare(a_version(1, **before), a_version(2, **after)).compatible is compatible


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"inputs": [x([4])]}, {"inputs": [x([4])]}, "compatible"),
        ({"inputs": [x([4])]}, {"inputs": [x([-1])]}, "widening"),
        ({"outputs": [x([4])]}, {"outputs": [x([4]), x([1], name="new")]}, "widening"),
        ({"context_length": 8}, {"context_length": 16}, "widening"),
        ({"outputs": [x([-1])]}, {"outputs": [x([4])]}, "compatible"),
        ({"inputs": [x([-1])]}, {"inputs": [x([4]), x([1], name="new")]}, "breaking"),
    ],
)
def test_a_signature_is_compatible_widening_or_breaking(
    before: dict[str, Any], after: dict[str, Any], told: str
) -> None:
    assert compare(a_version(1, **before), a_version(2, **after)).signature == told


def test_results_and_licence_are_compared() -> None:
    one, other = a_version(1), a_version(2)
    other.tags["license"] = "apache-2.0"
    found = {each.field: each.after for each in compare(one, other, {"f1": 0.5}, {"f1": 0.7}).differences}
    assert found == {"licence": "apache-2.0", "evaluations.f1": 0.7}
