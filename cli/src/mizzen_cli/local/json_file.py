"""How small state files are written so that no reader, and no power cut, ever sees half of one."""

import os
from pathlib import Path
from typing import Any

import orjson


def write_json(path: Path, value: Any, mode: int = 0o600) -> None:
    """Replace `path` by `value` as JSON, atomically and durably."""
    write_private(path, orjson.dumps(value, option=orjson.OPT_INDENT_2), mode)


def write_private(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace `path` by `content`, atomically and durably; never readable by others on the way."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> Any | None:
    """The file's value; None where it is absent or not JSON (a disk that lost the write)."""
    try:
        return orjson.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, orjson.JSONDecodeError):
        return None
