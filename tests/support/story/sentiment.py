"""The model of the stories: two trained versions of examples/sentiment, what each answers, and a deployment of it."""

import subprocess
import sys
from functools import cache
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # ships no types
import tritonclient.http as triton
from support.chart import ROOT
from support.cluster.objects import Object

FOLDER = ROOT / "examples" / "sentiment"
TEXT = "这本书非常好，强烈推荐！"
_TOLERANCE = 1e-4


@cache
def artifact(version: int) -> Any:
    """Folder of a trained version; trains it where that was not done yet."""
    command = [sys.executable, str(FOLDER / "train.py"), "--version", str(version)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return FOLDER / "artifacts" / f"v{version}"


@cache
def expected(version: int) -> tuple[float, float]:
    """Probabilities of TEXT (negative, positive), as ONNX Runtime computes them on this machine."""
    session = onnxruntime.InferenceSession(str(artifact(version) / "model.onnx"), providers=["CPUExecutionProvider"])
    (found,) = session.run(["probabilities"], {"text": np.array([[TEXT]], dtype=object)})
    return float(found[0][0]), float(found[0][1])


def question() -> list[triton.InferInput]:
    """TEXT as tritonclient sends it."""
    text = triton.InferInput("text", [1, 1], "BYTES")
    text.set_data_from_numpy(np.array([[TEXT.encode()]], dtype=object))
    return [text]


def answered_by(answer: triton.InferResult) -> int:
    """Which version gave this answer; AssertionError where neither would."""
    found = answer.as_numpy("probabilities")
    assert found is not None, answer.get_response()
    for version in (1, 2):
        if np.allclose(found[0], expected(version), atol=_TOLERANCE):
            return version
    raise AssertionError(f"neither version answers {found}; they answer {expected(1)} and {expected(2)}")


def deployment(namespace: str, version: int = 1, **spec: Any) -> Object:
    """A ModelDeployment of a version; small, so that several fit a small machine. Keywords are fields of the spec."""
    return {
        "apiVersion": "mizzen.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "sentiment", "namespace": namespace},
        "spec": {
            "model": {"versionRef": {"model": "sentiment", "version": version}},
            "engine": {"type": "Triton"},
            "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
            "lifecycle": {"drainSeconds": 10},
            **spec,
        },
    }
