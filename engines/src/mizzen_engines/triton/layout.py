"""How do fetched files become a model repository that Triton loads? One function for each format."""

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mizzen_engines.failure import EngineStartError, ExitCode, required, truth
from mizzen_engines.triton.carried_code import CODE_NAMES, carried_code
from mizzen_engines.triton.configuration import Backend, ServingOptions, render
from mizzen_engines.triton.onnx_graph import read_graph

SERVED_NAME = re.compile(r"[a-zA-Z0-9]([-._a-zA-Z0-9]*[a-zA-Z0-9])?")
SMALL_MODEL_BYTES = 16 * 1024 * 1024
RESERVED = frozenset({"model.onnx", "model.py", "config.pbtxt"})
ONNX_MODEL = Path(__file__).parent / "python_backend" / "onnx_model.py"


@dataclass(frozen=True)
class LayoutRequest:
    """What to lay out, and where."""

    source: Path
    repository: Path
    model_format: str
    name: str
    allow_code: bool = False
    backend: Backend = "python"
    max_batch_size: int = 64


def from_environment(environment: Mapping[str, str]) -> LayoutRequest:
    """Read the pod's variables. Raises EngineStartError on one that is missing or wrong."""
    name = required(environment, "MIZZEN_MODEL_NAME")
    if not SERVED_NAME.fullmatch(name):
        raise EngineStartError(ExitCode.ENVIRONMENT, f"MIZZEN_MODEL_NAME {name!r} cannot be the name of a folder.")
    batch = environment.get("MIZZEN_MAX_BATCH_SIZE") or "64"
    if not batch.isdigit() or int(batch) < 1:
        raise EngineStartError(ExitCode.ENVIRONMENT, f"MIZZEN_MAX_BATCH_SIZE must be a number from 1, got {batch!r}.")
    return LayoutRequest(
        source=Path(required(environment, "MIZZEN_MODEL_DIR")),
        repository=Path(required(environment, "MIZZEN_REPOSITORY_DIR")),
        model_format=required(environment, "MIZZEN_MODEL_FORMAT"),
        name=name,
        allow_code=truth(environment, "MIZZEN_ALLOW_CODE"),
        backend="onnxruntime" if environment.get("MIZZEN_BACKEND") == "onnxruntime" else "python",
        max_batch_size=int(batch),
    )


def lay_out(request: LayoutRequest) -> None:
    """Fill the repository, whole or not at all. Raises EngineStartError where the artifact cannot be served."""
    layouts = {"ONNX": _lay_out_onnx, "TritonRepository": _lay_out_repository}
    layout = layouts.get(request.model_format)
    if layout is None:
        known = " and ".join(layouts)
        raise EngineStartError(
            ExitCode.ARTIFACT_WRONG,
            f"Triton serves the formats {known}, not {request.model_format}: choose another engine.",
        )
    # What a killed attempt left is no part of this one.
    request.repository.mkdir(parents=True, exist_ok=True)
    for left in request.repository.iterdir():
        shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
    layout(request)


def _lay_out_onnx(request: LayoutRequest) -> None:
    path = _onnx_file(request.source)
    graph = read_graph(path)
    threads = 1 if path.stat().st_size < SMALL_MODEL_BYTES else min(4, len(os.sched_getaffinity(0)))
    options = ServingOptions(request.backend, request.max_batch_size, threads)
    version = request.repository / request.name / "1"
    version.mkdir(parents=True)
    place(path, version / "model.onnx")
    # Nothing else of the artifact goes along: a model.py or a library beside the graph would be run.
    for name in graph.data_files:
        if name in RESERVED or CODE_NAMES.search(name):
            raise EngineStartError(ExitCode.ARTIFACT_WRONG, f"{path.name} keeps weights in {name!r}: rename that file.")
        place(path.parent / name, version / name)
    if request.backend == "python":
        shutil.copyfile(ONNX_MODEL, version / "model.py")
    (version.parent / "config.pbtxt").write_text(render(request.name, graph, options))


def _onnx_file(source: Path) -> Path:
    found = [path for path in _files(source) if path.suffix == ".onnx"]
    named = [path for path in found if path.name == "model.onnx"]
    if len(found) == 1 or len(named) == 1:
        return (named or found)[0]
    count = f"{len(found)} files" if found else "no file"
    raise EngineStartError(
        ExitCode.ARTIFACT_WRONG,
        f"an ONNX version has one file that ends in .onnx, or one of them is model.onnx; this one has {count}.",
    )


def _lay_out_repository(request: LayoutRequest) -> None:
    if not request.allow_code:
        refuse_code(request.source)
    single = (request.source / "config.pbtxt").exists() or any(p.name.isdigit() for p in request.source.iterdir())
    models = [request.name] if single else sorted(p.name for p in request.source.iterdir() if p.is_dir())
    if request.name not in models:
        raise EngineStartError(
            ExitCode.ARTIFACT_WRONG,
            f"the repository has no folder {request.name!r}, the served name, but {', '.join(models) or 'none'}: "
            "set spec.model's served name to one of them, or rename the folder.",
        )
    target = request.repository / request.name if single else request.repository
    for path in _files(request.source):
        place(path, target / path.relative_to(request.source))


def refuse_code(folder: Path) -> None:
    """Raise EngineStartError where the folder carries code, naming the first three places."""
    found = list(carried_code(folder))
    if found:
        more = f", and {len(found) - 3} more" if len(found) > 3 else ""
        raise EngineStartError(
            ExitCode.CODE_REFUSED,
            f"the repository carries code, which this project does not allow: {'; '.join(found[:3])}{more}. "
            "Take it out, or let an administrator allow code for the project.",
        )


def _files(folder: Path) -> list[Path]:
    """Files to serve, in order; bookkeeping of the fetch begins with a dot and is passed over."""
    return sorted(p for p in folder.rglob("*") if p.is_file() and not p.relative_to(folder).parts[0].startswith("."))


def place(source: Path, target: Path) -> None:
    """Link the file where both lie on one disk, else copy it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target, follow_symlinks=True)
    except OSError:
        shutil.copyfile(source, target)
