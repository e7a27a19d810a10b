"""What does an engine say of texts that it only reads? Scores, ranks and labels that depend on seed and text alone."""

import uuid
from typing import Any

from mizzen_engines.simulated.requests import BadRequestError, embedding_inputs
from mizzen_engines.simulated.text import count_tokens, drawn_from, text_of

LABELS = ("calm", "stormy")
PAIRS = (("text_1", "text_2"), ("queries", "documents"), ("queries", "items"), ("data_1", "data_2"))


def rerank(seed: int, model: str, body: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The answer to /v1/rerank, and the tokens that were read."""
    query, documents = _text(body.get("query"), "query"), _texts(body.get("documents"), "documents")
    scores = [_score(seed, query, one) for one in documents]
    ranked = sorted(range(len(documents)), key=lambda index: -scores[index])
    most = body.get("top_n") or len(ranked)
    tokens = sum(count_tokens(query) + count_tokens(one) for one in documents)
    results = [
        {"index": index, "document": {"text": documents[index], "multi_modal": None}, "relevance_score": scores[index]}
        for index in ranked[:most]
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"id": f"rerank-{uuid.uuid4().hex}", "model": model, "usage": usage, "results": results}, tokens


def score(seed: int, model: str, body: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The answer to /v1/score, and the tokens that were read."""
    names = next((pair for pair in PAIRS if pair[0] in body and pair[1] in body), PAIRS[0])
    left, right = (_texts(body.get(name), name) for name in names)
    if len(left) not in {1, len(right)}:
        raise BadRequestError(f"{names[0]} must hold one text, or as many as {names[1]}", names[0])
    pairs = list(zip(left * len(right) if len(left) == 1 else left, right, strict=True))
    tokens = sum(count_tokens(one) + count_tokens(other) for one, other in pairs)
    data = [
        {"index": index, "object": "score", "score": _score(seed, one, other)}
        for index, (one, other) in enumerate(pairs)
    ]
    return _listed("score", model, data, tokens), tokens


def classify(seed: int, model: str, body: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The answer to /classify, and the tokens that were read."""
    if body.get("messages") is not None:
        texts = ["\n".join(text_of(one.get("content")) for one in body["messages"])]
    else:
        texts = embedding_inputs(body)
    data = []
    for index, text in enumerate(texts):
        first = _score(seed, "classify", text)
        probs = [first, 1.0 - first]
        label = LABELS[probs.index(max(probs))]
        data.append({"index": index, "label": label, "probs": probs, "num_classes": len(LABELS)})
    tokens = sum(max(1, count_tokens(text)) for text in texts)
    return _listed("classify", model, data, tokens), tokens


def _listed(prefix: str, model: str, data: list[dict[str, Any]], tokens: int) -> dict[str, Any]:
    usage = {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens}
    made = f"{prefix}-{uuid.uuid4().hex}"
    return {"id": made, "object": "list", "created": 0, "model": model, "data": data, "usage": usage}


def _score(seed: int, one: str, other: str) -> float:
    return round(drawn_from(seed, "score", one, other).random(), 6)


def _texts(value: Any, field: str) -> list[str]:
    if isinstance(value, list) and value:
        return [_text(one, field) for one in value]
    return [_text(value, field)]


def _text(value: Any, field: str) -> str:
    if isinstance(value, dict):
        value = text_of(value.get("content")) or value.get("text")
    if not isinstance(value, str) or not value:
        raise BadRequestError(f"{field} must be a text or a list of texts", field)
    return value
