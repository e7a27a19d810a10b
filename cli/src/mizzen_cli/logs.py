"""`mizzen logs`: the log files of a deployment's pods on this machine; of those in a cluster, what prints them."""

import sys
import time
from pathlib import Path
from typing import Any

import orjson
from mizzen_crds.v1alpha1.labels import DEPLOYMENT

from mizzen_cli.errors import CommandError, ExitCode

POLL_SECONDS = 0.25


def print_logs(data_dir: Path, namespace: str, name: str, container: str | None, tail: int, *, follow: bool) -> None:
    """Print the last `tail` lines (all, where negative) of each log; with `follow`, go on until Ctrl-C.

    Raises:
        CommandError: there is no log yet, or none of this container.
    """
    pods = data_dir / "pods" / namespace
    offsets = {path: _print_tail(path, tail) for path in log_files(pods, name, container)}
    if not offsets and not follow:
        raise _nothing(pods, name, container)
    while follow:
        for path in log_files(pods, name, container):
            offsets[path] = _print_from(path, offsets.get(path, 0))
        time.sleep(POLL_SECONDS)


def kubectl_command(namespace: str, name: str, container: str | None, tail: int, *, follow: bool) -> str:
    """Return what prints the same of a deployment whose pods run in a cluster."""
    which = f"-c {container}" if container else "--all-containers --ignore-errors"
    extent = "-f --max-log-requests=100" if follow else ""
    return f"kubectl logs -n {namespace} -l {DEPLOYMENT}={name} {which} --prefix --tail={tail} {extent}".rstrip()


def log_files(pods: Path, name: str, container: str | None) -> list[Path]:
    """Logs of a deployment's pods, or of one pod by its name; within a pod in the order in which it starts."""
    return [file for pod in _pods(pods, name) for file in _of_pod(pod, container)]


def _pods(pods: Path, name: str) -> list[Path]:
    folders = sorted(folder for folder in pods.glob("*") if folder.is_dir())
    return [folder for folder in folders if name in (folder.name, _deployment(folder))]


def _of_pod(pod: Path, container: str | None) -> list[Path]:
    spec = _manifest(pod).get("spec", {})
    ordered = [each["name"] for each in (*spec.get("initContainers", ()), *spec.get("containers", ()))]
    wanted = [each for each in ordered if container in (None, each)]
    return [file for each in wanted if (file := pod / "logs" / f"{each}.log").is_file()]


def _deployment(pod: Path) -> str:
    return str(_manifest(pod).get("metadata", {}).get("labels", {}).get(DEPLOYMENT, ""))


def _manifest(pod: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = orjson.loads((pod / "pod.json").read_bytes())["manifest"]
    except FileNotFoundError:
        return {}  # the pod goes, or is being made
    return manifest


def _nothing(pods: Path, name: str, container: str | None) -> CommandError:
    found = sorted({file.stem for file in log_files(pods, name, None)})
    if container and found:
        return CommandError(f"{name} has no container {container}; it has {', '.join(found)}.", ExitCode.NOT_FOUND)
    return CommandError(f"{name} has no log yet. See: mizzen describe {name}", ExitCode.NOT_FOUND)


def _print_tail(path: Path, tail: int) -> int:
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    _print_lines(path, lines if tail < 0 else lines[len(lines) - min(tail, len(lines)) :])
    return len(content)


def _print_from(path: Path, offset: int) -> int:
    if not path.exists():
        return 0
    length = path.stat().st_size
    # A shorter file was rotated: begin again.
    with path.open("rb") as stream:
        stream.seek(offset if offset <= length else 0)
        fresh = stream.read()
        end = stream.tell()
    _print_lines(path, fresh.splitlines())
    return end


def _print_lines(path: Path, lines: list[bytes]) -> None:
    prefix = f"{path.parent.parent.name}/{path.stem} | "
    for line in lines:
        sys.stdout.write(f"{prefix}{line.decode('utf-8', 'replace').rstrip()}\n")
    sys.stdout.flush()
