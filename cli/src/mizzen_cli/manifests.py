"""Manifests that a person wrote: read from YAML, checked before anything is sent."""

import sys
from pathlib import Path
from typing import Any

import yaml

from mizzen_cli.errors import CommandError, ExitCode

Manifest = dict[str, Any]
STANDARD_INPUT = Path("-")


def read_manifests(source: Path) -> list[Manifest]:
    """Every ModelDeployment in a file, in a folder's *.yaml files, or on standard input (`-`), checked.

    Raises:
        CommandError: a file that cannot be read, is no YAML, or holds something that would be refused; each sentence
            names file, field and remedy.
    """
    files = sorted([*source.glob("*.yaml"), *source.glob("*.yml")]) if source.is_dir() else [source]
    if not files:
        raise CommandError(f"{source}: no *.yaml file in this folder.", ExitCode.USAGE)
    manifests = [manifest for file in files for manifest in _read_file(file)]
    if not manifests:
        raise CommandError(f"{source}: no manifest in it. Write a ModelDeployment there.", ExitCode.USAGE)
    return manifests


def _read_file(file: Path) -> list[Manifest]:
    try:
        text = sys.stdin.read() if file == STANDARD_INPUT else file.read_text("utf-8")
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
    except OSError as error:
        raise CommandError(
            f"{file}: {error.strerror}. Name a file that exists and is readable.", ExitCode.USAGE
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} is not YAML: {_where(error)}", ExitCode.USAGE) from None
    for document in documents:
        _check_kind(document, file)
        check_manifest(document, str(file))
    return documents


def _where(error: yaml.YAMLError | UnicodeDecodeError) -> str:
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return str(error)
    mark = error.problem_mark
    said = str(error.problem or error.context)
    return f"{said}, line {mark.line + 1}, column {mark.column + 1}. {_yaml_remedy(said)}"


def _yaml_remedy(said: str) -> str:
    """The parser's words, put plainly, by what they complain of."""
    if "\\t" in said or "tab" in said:
        return "Indent with blanks: a tab is not allowed there."
    if (
        "mapping values are not allowed" in said
        or "expected <block end>" in said
        or "could not find expected ':'" in said
    ):
        return (
            "Indent all fields of one object alike, two blanks deeper than their parent, put a blank after each colon, "
            "and quote a value that holds `: `."
        )
    return "Look at that line and the one above: indentation, colons, quotes and brackets must match."


ELSEWHERE = {
    "ModelRoute": " On Kubernetes, routes are made with `kubectl apply`; on one machine, they are `routes` in the file"
    " of `mizzen gateway --config gateway.yaml`.",
}
"""Kind -> where it belongs."""


def _check_kind(document: Any, file: Path) -> None:
    kind = document.get("kind") if isinstance(document, dict) else None
    if kind != "ModelDeployment":
        remedy = ELSEWHERE.get(str(kind), "")
        raise CommandError(f"{file}: kind is {kind!r}; `mizzen apply` takes ModelDeployment.{remedy}", ExitCode.USAGE)


def check_manifest(manifest: Manifest, origin: str) -> None:
    """Raises CommandError, with a sentence for each mistake, where the manifest would be refused."""
    # The types take a third of a second to load, and most commands check no manifest.
    from mizzen_crds.mistakes import mistakes
    from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
    from pydantic import ValidationError

    try:
        ModelDeployment.model_validate(manifest)
    except ValidationError as error:
        sentences = "\n".join(f"  {mistake}" for mistake in mistakes(error, ModelDeployment))
        raise CommandError(f"{origin} would be refused:\n{sentences}", ExitCode.USAGE) from None
