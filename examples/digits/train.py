"""Trains a small neural network on handwritten digits and exports it to ONNX: image in, probabilities out.

    python examples/digits/train.py

What has been trained already is kept; `--again` trains anew.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]  # ships no types
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits  # type: ignore[import-untyped]  # ships no types
from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]  # ships no types
from sklearn.neural_network import MLPClassifier  # type: ignore[import-untyped]  # ships no types
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

SEED = 7
SIDE = 8
"""Pixels of an image's side; a pixel is 0 (white) to 16 (black)."""
BLACK = 16.0
ARTIFACTS = Path(__file__).parent / "artifacts"

Array = np.ndarray[Any, np.dtype[Any]]


def export(network: MLPClassifier) -> bytes:
    """The network as ONNX: input `image` [N, 8, 8] of FP32, output `probabilities` [N, 10]."""
    weights = [array.astype(np.float32) for array in (*network.coefs_, *network.intercepts_)]
    stored = [
        numpy_helper.from_array(array, name) for array, name in zip(weights, ("w1", "w2", "b1", "b2"), strict=True)
    ]
    stored += [
        numpy_helper.from_array(np.array([-1, SIDE * SIDE], dtype=np.int64), "flat_shape"),
        numpy_helper.from_array(np.array(BLACK, dtype=np.float32), "black"),
    ]
    nodes = [
        helper.make_node("Div", ["image", "black"], ["scaled"]),
        helper.make_node("Reshape", ["scaled", "flat_shape"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w1", "b1"], ["sums"]),
        helper.make_node("Relu", ["sums"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", "w2", "b2"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", SIDE, SIDE])
    probabilities = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 10])
    graph = helper.make_graph(nodes, "digits", [image], [probabilities], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def check_agreement(path: Path, network: MLPClassifier, images: Array) -> None:
    """Stop where ONNX answers anything but what scikit-learn answers."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (probabilities,) = session.run(None, {"image": images.astype(np.float32)})
    if not np.allclose(probabilities, network.predict_proba(_flat(images)), atol=1e-4):
        raise SystemExit("ONNX and scikit-learn disagree: the export is not used.")


def make(folder: Path) -> dict[str, Any]:
    """Train, export, check and store the network in `folder`; return its metadata."""
    began = time.monotonic()
    digits = load_digits()
    known, held_out, known_labels, held_out_labels = train_test_split(
        digits.images, digits.target, test_size=0.2, random_state=SEED
    )
    network = MLPClassifier(hidden_layer_sizes=(32,), learning_rate_init=0.01, max_iter=200, random_state=SEED)
    with threadpool_limits(1):  # matrices this small are slower on several threads
        network.fit(_flat(known), known_labels)
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / "model.onnx.part"
    draft.write_bytes(export(network))
    check_agreement(draft, network, held_out)
    metadata = {
        "accuracy": round(float(network.score(_flat(held_out), held_out_labels)), 4),
        "held_out_images": len(held_out),
        "training_images": len(known),
        "seed": SEED,
        "training_seconds": round(time.monotonic() - began, 1),
    }
    (folder / "metadata.json").write_text(json.dumps(metadata, indent=2) + "\n")
    draft.replace(folder / "model.onnx")
    return metadata


def _flat(images: Array) -> Array:
    return np.asarray(images.reshape(len(images), -1) / BLACK)


def main() -> None:
    """Train unless it has been done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ARTIFACTS / "v1")
    parser.add_argument("--again", action="store_true", help="train even if the artifact exists")
    given = parser.parse_args()
    artifact = given.output / "model.onnx"
    if artifact.exists() and not given.again:
        accuracy = json.loads((given.output / "metadata.json").read_text())["accuracy"]
        print(f"trained already: held-out accuracy {accuracy:.3f} ({artifact})")
        return
    metadata = make(given.output)
    print(
        f"held-out accuracy {metadata['accuracy']:.3f} on {metadata['held_out_images']} images, "
        f"{metadata['training_seconds']} s, {artifact.stat().st_size // 1024} KiB -> {artifact}"
    )


if __name__ == "__main__":
    main()
