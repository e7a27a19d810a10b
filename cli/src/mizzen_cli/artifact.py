"""What a push is made of: which files, what they hash to, which format they are."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from mizzen_cli.errors import CommandError, ExitCode

METADATA_FILE = "metadata.json"
MAX_METADATA_BYTES = 64 * 1024
_FORMATS = {".onnx": "ONNX", ".safetensors": "Safetensors", ".gguf": "GGUF", ".pt": "TorchScript"}


@dataclass(frozen=True)
class LocalFile:
    """A file to push."""

    path: str
    """Relative, `/` between its parts."""
    source: Path
    size: int
    sha256: str


def local_files(root: Path) -> list[LocalFile]:
    """The files of an artifact, hashed: one file, or all of a folder but hidden ones and metadata.json.

    Raises:
        CommandError: nothing is there, or a link leads out of the folder.
    """
    if root.is_file():
        return [_hashed(root.name, root)]
    if not root.is_dir():
        raise CommandError(f"{root}: no such file or folder. Name the artifact to push.", ExitCode.USAGE)
    seen = [path for path in sorted(root.rglob("*")) if not _hidden(path.relative_to(root))]
    for path in seen:
        _refuse_stray_link(path, root)
    found = [path for path in seen if path.is_file()]
    files = [_hashed(path.relative_to(root).as_posix(), path) for path in found if path != root / METADATA_FILE]
    if not files:
        raise CommandError(f"{root}: the folder holds no file to push.", ExitCode.USAGE)
    return files


def local_metadata(root: Path) -> dict[str, Any]:
    """What the training wrote beside the artifact (metadata.json), such as held-out accuracy; {} without it."""
    folder = root if root.is_dir() else root.parent
    file = folder / METADATA_FILE
    _refuse_stray_link(file, folder)
    if not file.is_file():
        return {}
    try:
        metadata: dict[str, Any] = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise CommandError(f"{file} is not JSON: {error}", ExitCode.USAGE) from None
    if not isinstance(metadata, dict):
        raise CommandError(f'{file}: write an object such as {{"accuracy": 0.9}}.', ExitCode.USAGE)
    if len(orjson.dumps(metadata)) > MAX_METADATA_BYTES:
        raise CommandError(
            f"{file} has over {MAX_METADATA_BYTES // 1024} KiB, the most that a version keeps; keep large results "
            "elsewhere and write a link.",
            ExitCode.USAGE,
        )
    return metadata


def named_format(text: str) -> str:
    """The format that a person means, in any case: onnx is ONNX.

    Raises:
        CommandError: there is no such format; the sentence lists them.
    """
    # The types take a third of a second to load, and most commands name no format.
    from mizzen_crds.v1alpha1.model_deployment.source import ModelFormat

    for each in ModelFormat:
        if each.value.lower() == text.lower():
            return each.value
    known = ", ".join(each.value for each in ModelFormat)
    raise CommandError(f"--format {text}: there is no such format; there are {known}.", ExitCode.USAGE)


def told_format(files: list[LocalFile]) -> str:
    """The format that the files' names tell; empty where they tell none."""
    if any(file.path.endswith("config.pbtxt") for file in files):
        return "TritonRepository"
    return next((name for file in files if (name := _FORMATS.get(Path(file.path).suffix))), "")


def guess_format(files: list[LocalFile]) -> str:
    """The format that the files' names tell.

    Raises:
        CommandError: they tell none; name one with --format.
    """
    if name := told_format(files):
        return name
    known = ", ".join(f"{suffix} is {name}" for suffix, name in _FORMATS.items())
    raise CommandError(
        f"The names of the files do not tell their format ({known}, config.pbtxt is TritonRepository). Rename the "
        "file, or say what it is, as in --format ONNX; --format converts nothing.",
        ExitCode.USAGE,
    )


def digest_of(files: list[LocalFile]) -> str:
    """Digest of the whole, as the registry computes it: sha256 over the lines `<sha256>  <size>  <path>`, by path."""
    lines = (f"{file.sha256}  {file.size}  {file.path}\n" for file in sorted(files, key=lambda file: file.path))
    return f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"


def _hashed(path: str, source: Path) -> LocalFile:
    with source.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return LocalFile(path, source, source.stat().st_size, digest)


def _refuse_stray_link(path: Path, root: Path) -> None:
    """Nothing is sent but what lies in the folder that a person named."""
    if not path.is_symlink():
        return
    target = path.resolve()
    if target.is_file() and target.is_relative_to(root.resolve()):
        return
    what = "a link to a folder" if target.is_dir() else f"a link to {target}, which is no file of {root}"
    raise CommandError(
        f"{path} is {what}: only files of the folder itself are pushed. Put the file itself in its place, or copy the "
        "folder with `cp -rL` and push the copy.",
        ExitCode.USAGE,
    )


def _hidden(relative: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in relative.parts)
