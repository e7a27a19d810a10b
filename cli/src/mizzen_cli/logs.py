"""`mizzen logs`: the log files of a deployment's pods on this machine, printed and followed."""

import sys
import time
from pathlib import Path

from mizzen_cli.errors import CommandError, ExitCode

POLL_SECONDS = 0.25


def print_logs(data_dir: Path, namespace: str, name: str, container: str | None, tail: int, *, follow: bool) -> None:
    """Print the last `tail` lines of each log of a deployment; with `follow`, go on until Ctrl-C.

    Raises:
        CommandError: there is no log yet.
    """
    offsets = {path: _print_tail(path, tail) for path in _log_files(data_dir, namespace, name, container)}
    if not offsets and not follow:
        raise CommandError(f"{name} has no log yet. See: mizzen describe {name}", ExitCode.NOT_FOUND)
    while follow:
        for path in _log_files(data_dir, namespace, name, container):
            offsets[path] = _print_from(path, offsets.get(path, 0))
        time.sleep(POLL_SECONDS)


def _log_files(data_dir: Path, namespace: str, name: str, container: str | None) -> list[Path]:
    # A pod is named <deployment>-<hash>-<suffix>.
    pods = [
        folder for folder in (data_dir / "pods" / namespace).glob(f"{name}-*") if folder.name.rsplit("-", 2)[0] == name
    ]
    return [file for pod in sorted(pods) for file in sorted((pod / "logs").glob(f"{container or '*'}.log"))]


def _print_tail(path: Path, tail: int) -> int:
    content = path.read_bytes()
    _print_lines(path, b"".join(content.splitlines(keepends=True)[-tail:]))
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
    _print_lines(path, fresh)
    return end


def _print_lines(path: Path, content: bytes) -> None:
    prefix = f"{path.parent.parent.name}/{path.stem} | "
    for line in content.decode("utf-8", "replace").splitlines():
        sys.stdout.write(f"{prefix}{line}\n")
    sys.stdout.flush()
