"""A version of `sentiment` that loads, says that it is ready, and fails on every request: what no probe finds out."""

from pathlib import Path

import onnx
from onnx import TensorProto, helper
from support.story import sentiment

_CLASSES = 2


def write_broken(folder: Path) -> Path:
    """Write the first version, with a last step that wants five answers of each request; the folder comes back.

    Triton answers 500 for it; an index beyond the end, for example, it holds to be the caller's fault (400).
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = onnx.load(str(sentiment.artifact(1) / "model.onnx"))
    for node in model.graph.node:
        node.output[:] = ["found" if name == "probabilities" else name for name in node.output]
        node.input[:] = ["found" if name == "probabilities" else name for name in node.input]
    model.graph.initializer.append(helper.make_tensor("shape", TensorProto.INT64, [2], [5, _CLASSES]))
    model.graph.node.append(helper.make_node("Reshape", ["found", "shape"], ["probabilities"]))
    onnx.save(model, str(folder / "model.onnx"))
    (folder / "metadata.json").write_bytes((sentiment.artifact(1) / "metadata.json").read_bytes())
    return folder
