"""What do containers on this machine print? Their log files, in the folders of the pods."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import orjson
from mizzen_crds.v1alpha1.labels import DEPLOYMENT

from mizzen_controlplane.cluster.log_source import Container

LOOK_SECONDS: Final = 0.25
PIECE_BYTES: Final = 1 << 20


class PodFiles:
    """A LogSource over a folder with one folder a namespace, and in it one a pod."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def containers(self, namespace: str, deployment: str) -> list[Container]:
        """Containers of the pods that exist and have printed something."""
        return await asyncio.to_thread(self._containers, namespace, deployment)

    def _containers(self, namespace: str, deployment: str) -> list[Container]:
        found = []
        for folder in sorted(one for one in (self._root / namespace).glob("*") if one.is_dir()):
            manifest = _manifest(folder)
            spec = manifest.get("spec", {})
            if manifest.get("metadata", {}).get("labels", {}).get(DEPLOYMENT) != deployment:
                continue
            names = [one["name"] for one in (*spec.get("initContainers", ()), *spec.get("containers", ()))]
            found += [Container(folder.name, name) for name in names if (folder / "logs" / f"{name}.log").is_file()]
        return found

    async def lines(self, namespace: str, container: Container, tail: int, *, follow: bool) -> AsyncIterator[bytes]:
        """Lines of the newest log file; with `follow`, as long as the pod is there."""
        path = self._root / namespace / container.pod / "logs" / f"{container.name}.log"
        offset = await asyncio.to_thread(_begin_of_last, path, tail)
        rest = b""
        while (read := await asyncio.to_thread(_read, path, offset)) is not None:
            piece, offset = read
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                yield line
            if not piece and not follow:
                break
            if not piece:
                await asyncio.sleep(LOOK_SECONDS)
        if rest:
            yield rest


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = orjson.loads((folder / "pod.json").read_bytes())["manifest"]
    except FileNotFoundError:
        return {}  # the pod goes, or is being made
    return manifest


def _begin_of_last(path: Path, lines: int) -> int:
    """Where the last so many lines begin; 0 where all are asked for, or there are fewer."""
    try:
        with path.open("rb") as file:
            at = end = file.seek(0, 2)
            left = lines + 1 if lines >= 0 else -1
            while at > 0 and left >= 0:
                size = min(at, PIECE_BYTES)
                file.seek(at - size)
                piece = file.read(size)
                if at == end and not piece.endswith(b"\n"):
                    left -= 1  # the last line has no end yet
                if left == 0:
                    return end
                while (found := piece.rfind(b"\n")) >= 0:
                    left -= 1
                    if left == 0:
                        return at - size + found + 1
                    piece = piece[:found]
                at -= size
            return 0
    except FileNotFoundError:
        return 0


def _read(path: Path, offset: int) -> tuple[bytes, int] | None:
    """The next piece, and where it ends; None where the file has gone. A shorter file was begun anew."""
    try:
        with path.open("rb") as file:
            file.seek(offset if offset <= path.stat().st_size else 0)
            piece = file.read(PIECE_BYTES)
            return piece, file.tell()
    except FileNotFoundError:
        return None
