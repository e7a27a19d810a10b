"""The examples train, export and answer; the digits on a real Triton."""

import importlib.util
import json
import sys
from contextlib import closing
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import tritonclient.http as triton
from support.triton import lay_out, running_triton

EXAMPLES = Path(__file__).parents[2] / "examples"


def example(name: str) -> ModuleType:
    """The example's train.py as a module."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / name / "train.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("version", [1, 2])
def test_sentiment_answers_in_onnx_as_in_scikit_learn(tmp_path: Path, version: int) -> None:
    sentiment = example("sentiment")
    reviews = sentiment.reviews()[:1500]
    model = sentiment.train(version, reviews[300:])
    path = tmp_path / "model.onnx"
    path.write_bytes(sentiment.export(model))
    texts = [text for text, _ in reviews[:300]]
    sentiment.check_agreement(path, model, texts)
    assert sentiment.accuracy(model.predict(texts), reviews[:300]) > 0.7


def test_digits_are_trained_stored_and_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train = example("digits")
    monkeypatch.setattr(sys, "argv", ["train.py", "--output", str(tmp_path / "v1")])
    train.main()
    assert capsys.readouterr().out.startswith("held-out accuracy")
    train.main()
    assert capsys.readouterr().out.startswith("trained already")
    assert json.loads((tmp_path / "v1" / "metadata.json").read_text())["accuracy"] > 0.9
    done = lay_out(tmp_path / "v1", tmp_path / "repository", "digits")
    assert done.returncode == 0, done.stderr
    from sklearn.datasets import load_digits  # two seconds that each worker would pay

    digits = load_digits()
    images = digits.images[:32].astype(np.float32)
    with running_triton(tmp_path / "repository", tmp_path / "triton.log") as server:
        tensor = triton.InferInput("image", list(images.shape), "FP32")
        tensor.set_data_from_numpy(images)
        with closing(triton.InferenceServerClient(server.url)) as client:
            answer = client.infer("digits", [tensor]).as_numpy("probabilities")
    assert (answer.argmax(axis=1) == digits.target[:32]).mean() > 0.9
