"""Small ONNX models for tests, built by hand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Dims = Sequence[int | str | None]


def doubling(
    dims: Dims = ("batch", 3), elem_type: int = TensorProto.FLOAT, output_dims: Dims | None = None, name: str = "x"
) -> onnx.ModelProto:
    """y = x + x."""
    inputs = [helper.make_tensor_value_info(name, elem_type, list(dims))]
    outputs = [helper.make_tensor_value_info("y", elem_type, list(dims if output_dims is None else output_dims))]
    return model([helper.make_node("Add", [name, name], ["y"])], inputs, outputs)


def upper_case(dims: Dims = (None, 1)) -> onnx.ModelProto:
    """The text in capital letters."""
    value = helper.make_tensor_value_info("text", TensorProto.STRING, list(dims))
    answer = helper.make_tensor_value_info("capitals", TensorProto.STRING, list(dims))
    node = helper.make_node("StringNormalizer", ["text"], ["capitals"], case_change_action="UPPER", locale="C")
    flat = helper.make_tensor_value_info("text", TensorProto.STRING, [None])
    flat_answer = helper.make_tensor_value_info("capitals", TensorProto.STRING, [None])
    return model([node], [value if len(dims) > 1 else flat], [answer if len(dims) > 1 else flat_answer])


def model(nodes: list[Any], inputs: list[Any], outputs: list[Any], stored: Sequence[Any] = ()) -> onnx.ModelProto:
    """A model of opset 17."""
    graph = helper.make_graph(nodes, "test", inputs, outputs, list(stored))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def with_outside_weights(folder: Path, location: str = "weights.bin") -> Path:
    """y = x + w, w in a file of its own."""
    weights = np.arange(3, dtype=np.float32)
    tensor = numpy_helper.from_array(weights, "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(weights.nbytes))):
        tensor.external_data.add(key=key, value=value)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])]
    made = model([helper.make_node("Add", ["x", "w"], ["y"])], inputs, outputs, [tensor])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(made.SerializeToString())
    if "/" not in location:
        (folder / location).write_bytes(weights.tobytes())
    return folder


def saved(made: onnx.ModelProto, folder: Path, name: str = "model.onnx") -> Path:
    """The folder with the model in it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(made.SerializeToString())
    return folder
