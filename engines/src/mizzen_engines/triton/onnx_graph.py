"""What does an ONNX file take and give? Tensors as Triton names them, and whether their first dimension is a batch."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # protobuf ships no types

from mizzen_engines.failure import EngineStartError, ExitCode

TRITON_TYPES: dict[int, str] = {
    onnx.TensorProto.FLOAT: "TYPE_FP32",
    onnx.TensorProto.DOUBLE: "TYPE_FP64",
    onnx.TensorProto.FLOAT16: "TYPE_FP16",
    onnx.TensorProto.INT8: "TYPE_INT8",
    onnx.TensorProto.INT16: "TYPE_INT16",
    onnx.TensorProto.INT32: "TYPE_INT32",
    onnx.TensorProto.INT64: "TYPE_INT64",
    onnx.TensorProto.UINT8: "TYPE_UINT8",
    onnx.TensorProto.UINT16: "TYPE_UINT16",
    onnx.TensorProto.UINT32: "TYPE_UINT32",
    onnx.TensorProto.UINT64: "TYPE_UINT64",
    onnx.TensorProto.BOOL: "TYPE_BOOL",
    onnx.TensorProto.STRING: "TYPE_STRING",
}
PICKLE = re.compile(rb"\x80[\x02-\x05]")
ZIP = b"PK\x03\x04"


@dataclass(frozen=True)
class Tensor:
    """An input or output of the graph."""

    name: str
    datatype: str
    """As Triton's configuration writes it."""
    shape: tuple[int, ...]
    """As in the graph, -1 for any size."""
    first_dimension: str
    """Name of the first dimension where it is free; empty where it is fixed or has no name."""


@dataclass(frozen=True)
class Graph:
    """What callers see of an ONNX model."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    data_files: tuple[str, ...] = ()
    """Files beside the model that hold weights, relative to it."""

    @property
    def batched(self) -> bool:
        """The first dimension of every input and output is free, and inputs do not give it different names."""
        tensors = self.inputs + self.outputs
        names = {tensor.first_dimension for tensor in self.inputs if tensor.first_dimension}
        return all(tensor.shape[:1] == (-1,) for tensor in tensors) and len(names) <= 1


def wrong(path: Path, why: str) -> EngineStartError:
    """The error for an artifact that is not an ONNX model."""
    return EngineStartError(ExitCode.ARTIFACT_WRONG, f"{path.name} cannot be served as ONNX: {why}")


def read_graph(path: Path) -> Graph:
    """Read and check the file. Raises EngineStartError where it is no ONNX model that can be served."""
    model = _load(path)
    data_files = _external_data(path, model)
    _check(path)
    initialized = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in initialized]
    graph = Graph(
        tuple(_tensor(path, value, "input") for value in inputs),
        tuple(_tensor(path, value, "output") for value in model.graph.output),
        tuple(data_files),
    )
    if not graph.outputs:
        raise wrong(path, "its graph has no outputs; export the model again.")
    return graph


def _load(path: Path) -> onnx.ModelProto:
    with path.open("rb") as file:
        head = file.read(4)
    if PICKLE.match(head):
        raise wrong(path, "it is a Python pickle, which could run code when loaded. Export the model to ONNX instead.")
    if head == ZIP:
        raise wrong(
            path, "it is a zip archive (as torch.save writes). Export the model with torch.onnx.export instead."
        )
    try:
        return onnx.load(str(path), load_external_data=False)
    except DecodeError as error:
        raise wrong(path, "it does not parse as ONNX; it may be truncated or of another format.") from error


def _check(path: Path) -> None:
    try:
        onnx.checker.check_model(str(path))
    except onnx.checker.ValidationError as error:
        raise wrong(path, f"the ONNX checker refuses it: {str(error).splitlines()[0][:200]}") from error


def _external_data(path: Path, model: onnx.ModelProto) -> list[str]:
    found: set[str] = set()
    for tensor in _stored_tensors(model.graph):
        for entry in tensor.external_data:
            if entry.key != "location":
                continue
            parts = PurePosixPath(entry.value)
            if parts.is_absolute() or ".." in parts.parts:
                raise wrong(path, f"tensor {tensor.name} keeps its data outside of the artifact, at {entry.value!r}.")
            if not (path.parent / entry.value).is_file():
                raise wrong(path, f"the file {entry.value!r} with the data of tensor {tensor.name} is missing.")
            found.add(parts.as_posix())
    return sorted(found)


def _stored_tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors
            for inner in (attribute.g, *attribute.graphs):
                if inner.node or inner.initializer:
                    yield from _stored_tensors(inner)


def _tensor(path: Path, value: onnx.ValueInfoProto, role: str) -> Tensor:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        remedy = " Convert with the option zipmap off, so that probabilities are a tensor." if role == "output" else ""
        raise wrong(
            path, f"{role} {value.name!r} is no tensor but a {(kind or 'value').removesuffix('_type')}.{remedy}"
        )
    tensor = value.type.tensor_type
    datatype = TRITON_TYPES.get(tensor.elem_type)
    if datatype is None:
        name = onnx.TensorProto.DataType.Name(tensor.elem_type)
        raise wrong(path, f"{role} {value.name!r} has the type {name}, which Triton cannot carry.")
    if not tensor.HasField("shape"):
        raise wrong(path, f"{role} {value.name!r} has no shape; export it with shapes (onnx.shape_inference helps).")
    dims = tensor.shape.dim
    shape = tuple(dim.dim_value if dim.WhichOneof("value") == "dim_value" else -1 for dim in dims)
    return Tensor(value.name, datatype, shape, dims[0].dim_param if dims else "")
