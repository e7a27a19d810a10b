"""From where does a node have its images? From archives; the two that the node itself brings are made here.

`BOX` is busybox: a shell, wget (without TLS; its -T crashes), an HTTP server, for small test pods. `PAUSE` is the same
program asleep: it holds the network of a pod. Images of the product come as archives too, see `Node.load`.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.cluster.real_node.packages import busybox

BOX = "localhost/mizzen/box:1"
PAUSE = "localhost/mizzen/pause:1"
_PROGRAMS = ("cat", "date", "dd", "echo", "env", "false", "grep", "head", "httpd", "id", "ls", "mkdir", "mount", "nc")
_MORE = (
    "nslookup",
    "printf",
    "ps",
    "rm",
    "sed",
    "seq",
    "sh",
    "sleep",
    "stat",
    "tail",
    "test",
    "timeout",
    "touch",
    "true",
)


def write_box(archive: Path) -> None:
    """Write an archive with both images."""
    _write(archive, _layer(), {BOX: ["/bin/sh"], PAUSE: ["/bin/sleep", "infinity"]})


def write_image(archive: Path, name: str, *programs: Path) -> None:
    """Write an archive with an image like `BOX` that has more static programs in its /bin."""
    _write(archive, _layer(*programs), {name: ["/bin/sh"]})


def _write(archive: Path, layer: bytes, images: Mapping[str, Sequence[str]]) -> None:
    digest = hashlib.sha256(layer).hexdigest()
    entries = [("layer.tar", layer)]
    manifest = []
    for number, (name, command) in enumerate(images.items()):
        entries.append((f"{number}.json", json.dumps(_configuration(digest, command)).encode()))
        manifest.append({"Config": f"{number}.json", "RepoTags": [name], "Layers": ["layer.tar"]})
    with tarfile.open(archive, "w") as file:
        for entry, content in [*entries, ("manifest.json", json.dumps(manifest).encode())]:
            _add(file, entry, content)


def _configuration(digest: str, command: Sequence[str]) -> dict[str, object]:
    return {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": list(command), "Env": ["PATH=/bin"], "User": "65532:65532"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }


def _layer(*programs: Path) -> bytes:
    """busybox with a link for each program, and a /tmp; the same bytes each time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        for path in (busybox(), *programs):
            _add(file, f"bin/{path.name}", path.read_bytes(), 0o755)
        for program in (*_PROGRAMS, *_MORE, "wget"):
            link = tarfile.TarInfo(f"bin/{program}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            file.addfile(link)
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
        file.addfile(folder)
    return buffer.getvalue()


def _add(file: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    file.addfile(entry, io.BytesIO(content))
