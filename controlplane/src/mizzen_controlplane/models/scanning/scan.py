"""What may be dangerous in these files? The one entrance of a scan, to be run in a process of its own."""

import gzip
import io
import json
import re
import stat
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from mizzen_controlplane.models.formats.code_content import is_pickle
from mizzen_controlplane.models.scanning.archives import (
    BOMB_BYTES,
    MOST_DEPTH,
    MOST_RATIO,
    READ_BYTES,
    scan_tar,
    scan_zip,
)
from mizzen_controlplane.models.scanning.findings import Findings
from mizzen_controlplane.models.scanning.pickles import scan_pickle
from mizzen_controlplane.models.scanning.tokens import scan_text

RULES_VERSION: Final = "1"
HEAD_BYTES: Final = 1 << 20
TEXT_BYTES: Final = 16 * 1024 * 1024
_NATIVE: Final = (b"\x7fELF", b"MZ", b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
_PROGRAMS: Final = (
    ".py",
    ".pyc",
    ".pyd",
    ".pyx",
    ".so",
    ".dll",
    ".dylib",
    ".sh",
    ".bash",
    ".exe",
    ".bat",
    ".ps1",
    ".jar",
)
_PICKLES: Final = (".pkl", ".pickle", ".joblib")
_TRITON_CODE: Final = re.compile(rb'backend\s*:\s*"python"|EXECUTION_ENV_PATH')


@dataclass(frozen=True, slots=True)
class Asked:
    """A file to look at."""

    path: str
    content: Path
    size: int
    """As it was announced."""


def scan(files: Sequence[Asked], *, allow_code: bool) -> Findings:
    """Everything found in `files`; code is milder where the project allows it. Reads hostile bytes."""
    look = _Look(Findings(), allow_code)
    for file in files:
        look.file(file)
    return look.found


@dataclass(frozen=True, slots=True)
class _Look:
    found: Findings
    allow_code: bool

    def file(self, file: Asked) -> None:
        """A file of the version."""
        if ".." in file.path.split("/") or file.path.startswith("/"):
            self.found.add(file.path, "path-traversal", "critical", "the path leads out of the version's folder")
        state = file.content.lstat()
        if not stat.S_ISREG(state.st_mode):
            self.found.add(file.path, "symlink", "critical", "the content is a link or a device, not a file")
            return
        if state.st_size != file.size:
            said = f"{state.st_size} bytes are here and {file.size} were announced"
            self.found.add(file.path, "size-lie", "critical", said)
        with file.content.open("rb") as stream:
            self.stream(file.path, stream, 0)

    def entry(self, name: str, content: bytes, depth: int) -> None:
        """An entry of an archive."""
        self.stream(name, io.BytesIO(content), depth)

    def stream(self, name: str, stream: IO[bytes], depth: int) -> None:
        """Bytes under a name, wherever they lie."""
        head = stream.read(HEAD_BYTES)
        stream.seek(0)
        lower = name.lower()
        if head.startswith(_NATIVE):
            self._code(name, "native-code", "is a program or shared object of a processor")
        elif lower.endswith(_PROGRAMS):
            self._code(name, "program", "is a program")
        if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            scan_zip(name, stream, depth, self.found, self.entry)
        elif head[257:262] == b"ustar" or lower.endswith((".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")):
            scan_tar(name, stream, depth, self.found, self.entry)
        elif head.startswith(b"\x1f\x8b"):
            self._unpacked(name, stream, depth)
        elif head.startswith(b"\x93NUMPY"):
            self._array(name, head, stream)
        elif not lower.endswith((".safetensors", ".gguf")) and (is_pickle(head) or lower.endswith(_PICKLES)):
            self._code(name, "pickle", "is a pickle, which runs when it is loaded")
            scan_pickle(name, stream, self.found)
        elif b"\0" not in head[:8192]:
            self._text(name, lower, stream.read(TEXT_BYTES))

    def _code(self, name: str, rule: str, said: str) -> None:
        allowed = "and the project allows code" if self.allow_code else "and the project does not allow code"
        self.found.add(name, rule, "low" if self.allow_code else "high", f"{said}, {allowed}")

    def _unpacked(self, name: str, stream: IO[bytes], depth: int) -> None:
        packed = stream.seek(0, 2)
        stream.seek(0)
        try:
            with gzip.GzipFile(fileobj=stream) as opened:
                content = opened.read(READ_BYTES)
        except (OSError, EOFError, zlib.error) as error:
            self.found.add(name, "archive-broken", "high", f"cannot be unpacked ({type(error).__name__})")
            return
        if len(content) > BOMB_BYTES and len(content) > MOST_RATIO * packed:
            self.found.add(name, "archive-bomb", "critical", f"{packed} bytes unpack to {len(content)} and more")
        elif content[257:262] == b"ustar":
            stream.seek(0)
            scan_tar(name, stream, depth, self.found, self.entry)
        elif depth < MOST_DEPTH:
            self.entry(name + "!", content, depth + 1)

    def _array(self, name: str, head: bytes, stream: IO[bytes]) -> None:
        wide = head[6:7] != b"\x01"
        length = int.from_bytes(head[8 : 12 if wide else 10], "little")
        start = 12 if wide else 10
        if b"'|O'" in head[start : start + min(length, 65536)]:
            self._code(name, "pickle", "is an array of pickled objects")
            stream.seek(start + length)
            scan_pickle(name, stream, self.found)

    def _text(self, name: str, lower: str, content: bytes) -> None:
        scan_text(name, content, self.found)
        if lower.endswith(".json"):
            self._json(name, content)
        elif lower.endswith("config.pbtxt") and _TRITON_CODE.search(content):
            self._code(name, "triton-code", "names the python backend or an environment of its own")

    def _json(self, name: str, content: bytes) -> None:
        try:
            read = json.loads(content)
        except (ValueError, RecursionError):
            return
        if isinstance(read, dict) and (read.get("auto_map") or read.get("trust_remote_code")):
            self._code(name, "remote-code", "has auto_map or trust_remote_code, so it wants to run code of its own")
