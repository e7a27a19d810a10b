"""Manifests that a person wrote: read from YAML, checked before anything is sent."""

from pathlib import Path
from typing import Any

import yaml
from mizzen_crds.mistakes import mistakes
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from pydantic import ValidationError

from mizzen_cli.errors import CommandError, ExitCode

Manifest = dict[str, Any]


def read_manifests(source: Path) -> list[Manifest]:
    """Every ModelDeployment in a file, or in a folder's *.yaml files, checked.

    Raises:
        CommandError: a file that cannot be read, is no YAML, or holds something that would be refused; each sentence
            names file, field and remedy.
    """
    files = sorted([*source.glob("*.yaml"), *source.glob("*.yml")]) if source.is_dir() else [source]
    if not files:
        raise CommandError(f"{source}: no *.yaml file in this folder.", ExitCode.USAGE)
    return [manifest for file in files for manifest in _read_file(file)]


def _read_file(file: Path) -> list[Manifest]:
    try:
        documents = [document for document in yaml.safe_load_all(file.read_text("utf-8")) if document is not None]
    except OSError as error:
        raise CommandError(
            f"{file}: {error.strerror}. Name a file that exists and is readable.", ExitCode.USAGE
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} is not YAML: {error}", ExitCode.USAGE) from None
    for document in documents:
        _check(document, file)
    return documents


def _check(document: Any, file: Path) -> None:
    kind = document.get("kind") if isinstance(document, dict) else None
    if kind != "ModelDeployment":
        raise CommandError(f"{file}: kind is {kind!r}; `mizzen apply` takes ModelDeployment.", ExitCode.USAGE)
    try:
        ModelDeployment.model_validate(document)
    except ValidationError as error:
        sentences = "\n".join(f"  {mistake}" for mistake in mistakes(error, ModelDeployment))
        raise CommandError(f"{file} would be refused:\n{sentences}", ExitCode.USAGE) from None
