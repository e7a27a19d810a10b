"""ONNX: the graph is parsed and checked, and its inputs and outputs are the signature."""

import math
from collections import Counter
from pathlib import Path
from typing import Any, Final

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # it ships no types
from mizzen_crds.registry import MemoryFacts, Signature, TensorSpec

from mizzen_controlplane.models.formats.artifact import MOST_ELEMENTS, Artifact, UnfitArtifactError

_DATATYPES = {
    "FLOAT": "FP32", "DOUBLE": "FP64", "FLOAT16": "FP16", "BFLOAT16": "BF16", "STRING": "BYTES", "BOOL": "BOOL",
    "INT8": "INT8", "INT16": "INT16", "INT32": "INT32", "INT64": "INT64",
    "UINT8": "UINT8", "UINT16": "UINT16", "UINT32": "UINT32", "UINT64": "UINT64",
}  # fmt: skip

_BITS: Final = {
    "FLOAT": 32, "DOUBLE": 64, "FLOAT16": 16, "BFLOAT16": 16, "BOOL": 8, "INT4": 4, "UINT4": 4,
    "FLOAT8E4M3FN": 8, "FLOAT8E4M3FNUZ": 8, "FLOAT8E5M2": 8, "FLOAT8E5M2FNUZ": 8, "FLOAT4E2M1": 4,
    "INT8": 8, "INT16": 16, "INT32": 32, "INT64": 64, "UINT8": 8, "UINT16": 16, "UINT32": 32, "UINT64": 64,
    "COMPLEX64": 64, "COMPLEX128": 128,
}  # fmt: skip


def check_onnx(artifact: Artifact) -> Signature:
    """The signature; raises UnfitArtifactError."""
    graphs = artifact.named(".onnx")
    if len(graphs) != 1:
        raise UnfitArtifactError(
            f"Format ONNX needs exactly one file that ends in .onnx, and there are {len(graphs)}. Push the folder of "
            "one model."
        )
    ((path, content),) = graphs.items()
    model = _parsed(path, content)
    _check_external_data(path, model, artifact)
    initializers = {tensor.name for tensor in model.graph.initializer}
    inputs = [_tensor(path, value) for value in model.graph.input if value.name not in initializers]
    outputs = [_tensor(path, value) for value in model.graph.output]
    if not inputs or not outputs:
        raise UnfitArtifactError(f"{path}: the graph has no input or no output. Export the whole model again.")
    batched = all(spec.shape and spec.shape[0] == -1 for spec in [*inputs, *outputs])
    if batched:
        inputs, outputs = [_without_batch(spec) for spec in inputs], [_without_batch(spec) for spec in outputs]
    elements = _elements(model)
    if elements.total() > MOST_ELEMENTS:
        raise UnfitArtifactError(
            f"{path}: its weights have {elements.total()} elements, and {MOST_ELEMENTS} is the most. Export it again."
        )
    return Signature(
        inputs=inputs, outputs=outputs, batched=batched, parameters=elements.total(), memory=_memory(elements)
    )


def _parsed(path: str, content: Path) -> Any:
    try:
        model = onnx.load(str(content), format="protobuf", load_external_data=False)
        if not model.HasField("graph") or not model.opset_import:
            raise UnfitArtifactError(f"{path} is not an ONNX model: it has no graph. Export it to ONNX again.")
        if not any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer):
            onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError, ValueError) as error:
        said = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
        raise UnfitArtifactError(f"{path} is not a valid ONNX model: {said}. Export it to ONNX again.") from error
    return model


def _check_external_data(path: str, model: Any, artifact: Artifact) -> None:
    folder = path.rpartition("/")[0]
    for tensor in model.graph.initializer:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        wanted = f"{folder}/{location}" if folder else location
        if wanted not in artifact.files:
            raise UnfitArtifactError(
                f"{path} keeps the tensor {tensor.name!r} in the file {location!r}, which is not part of the version. "
                "Push it beside the .onnx file."
            )


def _tensor(path: str, value: Any) -> TensorSpec:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        raise UnfitArtifactError(
            f"{path}: {value.name!r} is a {kind or 'value without a type'}, and only tensors can be served. With "
            "skl2onnx, export with the option zipmap=False."
        )
    tensor = value.type.tensor_type
    name = onnx.TensorProto.DataType.Name(tensor.elem_type)
    if name not in _DATATYPES:
        raise UnfitArtifactError(f"{path}: {value.name!r} has the type {name}, which Open Inference does not know.")
    dimensions = tensor.shape.dim if tensor.HasField("shape") else []
    shape = [
        dim.dim_value if dim.WhichOneof("value") == "dim_value" and dim.dim_value > 0 else -1 for dim in dimensions
    ]
    return TensorSpec(name=value.name, datatype=_DATATYPES[name], shape=shape)


def _without_batch(spec: TensorSpec) -> TensorSpec:
    return spec.model_copy(update={"shape": spec.shape[1:]})


def _elements(model: Any) -> Counter[str]:
    """Elements of the graph's weights, by their type."""
    found: Counter[str] = Counter()
    for tensor in model.graph.initializer:
        found[onnx.TensorProto.DataType.Name(tensor.data_type)] += math.prod(tensor.dims)
    return found


def _memory(elements: Counter[str]) -> MemoryFacts | None:
    """Bytes of the weights; None where one has no fixed size, as texts have none."""
    if any(kind not in _BITS for kind in elements):
        return None
    return MemoryFacts(tensor_bytes={kind: -(-count * _BITS[kind] // 8) for kind, count in sorted(elements.items())})
