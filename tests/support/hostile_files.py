"""A corpus of hostile files, made by the tests that need it: each with the rule that must find it."""

import functools
import gzip
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

MADE_UP_TOKEN = "ghp_" + "a1B2" * 9
"""In the shape of a token, and nobody's."""


@dataclass(frozen=True)
class Hostile:
    """A file that must be found out."""

    path: str
    content: bytes
    rule: str
    severity: str
    detail: str = ""


class _Runs:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("true",)


def zipped(entries: dict[str, bytes], touch: Callable[[zipfile.ZipInfo], None] = lambda _info: None) -> bytes:
    """A deflated zip."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            touch(info)
            archive.writestr(info, content)
    return held.getvalue()


def tarred(*entries: tarfile.TarInfo) -> bytes:
    """A tar of entries without content."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for entry in entries:
            archive.addfile(entry)
    return held.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """An entry of a tar."""
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


def _link(info: zipfile.ZipInfo) -> None:
    info.external_attr = 0o120777 << 16


def _nested(depth: int) -> bytes:
    content = b"end"
    for _level in range(depth):
        content = zipped({"inner.zip": content})
    return content


def _computed_import() -> bytes:
    return b"\x80\x04" + b"\x93" + b")R."


def _by_memo() -> bytes:
    """An import whose module comes out of the memo, as pickles of protocol 4 write the second of a module."""
    return b"\x80\x04\x8c\x02os\x94\x8c\x07environ\x940h\x00\x8c\x06system\x93."


def _objects_of_numpy() -> bytes:
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + pickle.dumps(_Runs())


def _overlapping() -> bytes:
    """Two names in the central directory for the same bytes."""
    whole = bytearray(zipped({"a": b"x" * 4000, "b": b"y" * 4000}))
    for at in _found(bytes(whole), b"PK\x01\x02"):
        whole[at + 20 : at + 24] = struct.pack("<I", 100_000)
    return bytes(whole)


def _found(content: bytes, mark: bytes) -> list[int]:
    places, at = [], content.find(mark)
    while at >= 0:
        places.append(at)
        at = content.find(mark, at + 1)
    return places


@functools.cache
def corpus() -> list[Hostile]:
    """All of them."""
    runs = pickle.dumps(_Runs(), 4)
    return [
        Hostile("model.pkl", runs, "pickle-import", "critical", "system"),
        Hostile("old.bin", pickle.dumps(_Runs(), 0), "pickle-import", "critical", "system"),
        Hostile("two.pkl", pickle.dumps([1]) + runs, "pickle-import", "critical", "system"),
        Hostile("memo.pkl", _by_memo(), "pickle-import", "critical", "os.system"),
        Hostile("stack.pkl", _computed_import(), "pickle-hidden-import", "critical"),
        Hostile("cut.pkl", runs[:-1], "pickle-broken", "high"),
        Hostile("array.npy", _objects_of_numpy(), "pickle-import", "critical", "system"),
        Hostile("torch.pt", zipped({"m/data.pkl": runs, "m/data/0": bytes(64)}), "pickle-import", "critical"),
        Hostile("packed.pkl.gz", gzip.compress(runs), "pickle-import", "critical"),
        Hostile("bomb.zip", zipped({"zeros": bytes(40 << 20)}), "archive-bomb", "critical"),
        Hostile("bomb.gz", gzip.compress(bytes(40 << 20)), "archive-bomb", "critical"),
        Hostile("overlap.zip", _overlapping(), "archive-bomb", "critical", "overlap"),
        Hostile("deep.zip", _nested(5), "archive-deep", "high"),
        Hostile("broken.zip", zipped({"a": b"x" * 99})[:60], "archive-broken", "high"),
        Hostile("up.zip", zipped({"../../etc/cron.d/x": b"x"}), "path-traversal", "critical"),
        Hostile("up.tar", tarred(entry("/etc/passwd")), "path-traversal", "critical"),
        Hostile("link.zip", zipped({"weights": b"/etc/shadow"}, _link), "symlink", "critical"),
        Hostile("link.tar", tarred(entry("w", tarfile.SYMTYPE, "/etc/shadow")), "symlink", "critical"),
        Hostile("device.tar", tarred(entry("d", tarfile.CHRTYPE)), "device", "critical"),
        Hostile("notes.md", f"my token is {MADE_UP_TOKEN}\n".encode(), "secret", "high", "GitHub"),
        Hostile("key.pem", b"-----BEGIN RSA PRIVATE KEY-----\nMIIB\n", "secret", "high", "private key"),
        Hostile("inside.zip", zipped({".env": f"T={MADE_UP_TOKEN}".encode()}), "secret", "high", "GitHub"),
        Hostile("config.json", json.dumps({"auto_map": {"AutoModel": "m.M"}}).encode(), "remote-code", "high"),
        Hostile("config.pbtxt", b'backend: "python"', "triton-code", "high"),
        Hostile("1/op.bin", b"\x7fELF\x02\x01\x01", "native-code", "high"),
        Hostile("tokenizer.py", b"print(1)\n", "program", "high"),
    ]
