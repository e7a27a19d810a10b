"""What a Hugging Face folder says of a language model: architecture, context length, chat template; and its code."""

import hashlib
from typing import Any

import orjson

from mizzen_controlplane.models.formats.artifact import Artifact, UnfitArtifactError

_MAX_JSON_BYTES = 64 * 1024 * 1024


def facts_of(artifact: Artifact) -> dict[str, Any]:
    """Fields of Signature that the folder's JSON files tell; raises UnfitArtifactError where they ask for code."""
    config = config_of(artifact)
    if config.get("auto_map") and not artifact.allow_code:
        raise UnfitArtifactError(
            "config.json has auto_map, so it wants to run code of its own (trust_remote_code). Allow code in the "
            "project (allow_code), or push a model of a known architecture."
        )
    architectures = config.get("architectures")
    text_config = config.get("text_config")
    length = config.get("max_position_embeddings")
    if length is None and isinstance(text_config, dict):
        length = text_config.get("max_position_embeddings")
    return {
        "architecture": str(architectures[0]) if isinstance(architectures, list) and architectures else "",
        "context_length": length if isinstance(length, int) else None,
        "chat_template_sha256": _template_digest(artifact),
    }


def config_of(artifact: Artifact) -> dict[str, Any]:
    """The folder's config.json; empty without one. Raises UnfitArtifactError where it is no JSON object."""
    return _json(artifact, "config.json")


def indexed_files(artifact: Artifact) -> frozenset[str]:
    """Paths of the weights that the folder's index names; empty without an index.

    Raises UnfitArtifactError where the index names a file that is not part of the version.
    """
    weight_map = _json(artifact, "model.safetensors.index.json").get("weight_map")
    if not isinstance(weight_map, dict):
        return frozenset()
    named = frozenset(path for path in weight_map.values() if isinstance(path, str))
    missing = sorted(named - artifact.files.keys())
    if missing:
        raise UnfitArtifactError(
            f"model.safetensors.index.json names {missing[0]!r}, which is not part of the version. Push all its files."
        )
    return named


def _template_digest(artifact: Artifact) -> str:
    if "chat_template.jinja" in artifact.files:
        return hashlib.sha256(artifact.files["chat_template.jinja"].read_bytes()).hexdigest()
    template = _json(artifact, "tokenizer_config.json").get("chat_template")
    if not template:
        return ""
    text = template if isinstance(template, str) else orjson.dumps(template).decode()
    return hashlib.sha256(text.encode()).hexdigest()


def _json(artifact: Artifact, path: str) -> dict[str, Any]:
    content = artifact.files.get(path)
    if content is None:
        return {}
    if content.stat().st_size > _MAX_JSON_BYTES:
        raise UnfitArtifactError(f"{path} is over {_MAX_JSON_BYTES} bytes, which no configuration is.")
    try:
        read = orjson.loads(content.read_bytes())
    except orjson.JSONDecodeError as error:
        raise UnfitArtifactError(f"{path} is not valid JSON: {error}. Push the original file.") from error
    if not isinstance(read, dict):
        raise UnfitArtifactError(f"{path} is not a JSON object. Push the original file.")
    return read
