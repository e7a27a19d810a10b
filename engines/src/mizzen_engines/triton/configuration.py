"""What does Triton's config.pbtxt say of an ONNX model? Its tensors, how it is batched, and which backend runs it."""

from dataclasses import dataclass
from typing import Literal

from mizzen_engines.triton.onnx_graph import Graph, Tensor

Backend = Literal["python", "onnxruntime"]


@dataclass(frozen=True)
class ServingOptions:
    """Choices that the graph does not make."""

    backend: Backend = "python"
    """python: model.py with onnxruntime. onnxruntime: the backend of the full image."""
    max_batch_size: int = 64
    """Rows of one run of the model, where it can be batched."""
    threads: int = 1
    """Threads inside one run."""


def render(name: str, graph: Graph, options: ServingOptions) -> str:
    """config.pbtxt of the model `name`."""
    head = 'platform: "onnxruntime_onnx"' if options.backend == "onnxruntime" else 'backend: "python"'
    lines = [f'name: "{name}"', head, f"max_batch_size: {options.max_batch_size if graph.batched else 0}"]
    lines += [_tensor("input", tensor, graph, options) for tensor in graph.inputs]
    lines += [_tensor("output", tensor, graph, options) for tensor in graph.outputs]
    if graph.batched:
        # No delay: what waits while the model runs becomes the next batch, and a lone request waits for nobody.
        lines.append("dynamic_batching { }")
    if options.backend == "python":
        lines.append("instance_group [ { count: 1 kind: KIND_CPU } ]")
        lines.append(_parameter("batched", "1" if graph.batched else "0"))
        lines.append(_parameter("threads", str(options.threads)))
    return "\n".join(lines) + "\n"


def _tensor(role: str, tensor: Tensor, graph: Graph, options: ServingOptions) -> str:
    own = tensor.shape[1:] if graph.batched else tensor.shape
    # Triton knows no tensor without dimensions: callers see one of size 1, the model gets what it declares.
    reshape = " reshape: { shape: [ ] }" if not own and options.backend == "onnxruntime" else ""
    dims = ", ".join(str(size) for size in own) or "1"
    return f"{role} [ {{ name: {quoted(tensor.name)} data_type: {tensor.datatype} dims: [ {dims} ]{reshape} }} ]"


def _parameter(key: str, value: str) -> str:
    return f'parameters {{ key: "{key}" value: {{ string_value: "{value}" }} }}'


def quoted(text: str) -> str:
    """The text as a literal of protobuf's text format; escaped byte by byte, so that no name can end it early."""
    safe = {
        ord(c) for c in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-.:/,()[]{}@#+=<>|~^*&!?;%$"
    }
    return '"' + "".join(chr(byte) if byte in safe else f"\\{byte:03o}" for byte in text.encode()) + '"'
