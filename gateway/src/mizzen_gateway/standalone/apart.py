"""How is a large gateway.yaml read without a request that waits? By a process of its own, which ends with it.

To read ten thousand keys takes a second of work in Python, which a thread would take from the requests all the same.
`python -m mizzen_gateway.standalone.apart` is that process: it is asked on standard input, and answers on standard
output with what `taken.py` makes of the file, the snapshot as bytes that are read in turns.
"""

import asyncio
import os
import pickle
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from mizzen_gateway.errors import CannotStartError
from mizzen_gateway.standalone.reading import FileRefusedError
from mizzen_gateway.standalone.taken import Taken, taken

SMALL_BYTES: Final = 32 * 1024
"""Files up to this size are read at once: it takes 20 ms, and a process would take half a second."""
PIECE: Final = 256 * 1024
LENGTH: Final = 8
"""Bytes of the number that says how long what comes before the snapshot is."""
NICE: Final = 5
"""Requests go first where there is one processor for both."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the process is asked."""

    path: Path
    version: int
    pepper: bytes


async def taken_apart(path: Path, version: int, pepper: bytes) -> tuple[Taken, list[bytes]]:
    """What a file says, and the pieces of its snapshot's line. Raises CannotStartError where it cannot be gone by."""
    if _size(path) <= SMALL_BYTES:
        made = taken(path, version, pepper)
        return made, [made.line]
    return await _asked(Question(path, version, pepper))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # whoever reads it says what is wrong


async def _asked(question: Question) -> tuple[Taken, list[bytes]]:
    try:
        process = await asyncio.to_thread(_begun)
    except OSError as error:
        raise FileRefusedError(f"{question.path}: no process can be started that reads it ({error})") from None
    try:
        made, pieces = await asyncio.to_thread(_heard, process, pickle.dumps(question))
    finally:
        if process.poll() is None:  # nobody waits for it any more
            process.kill()
    if process.returncode:
        raise FileRefusedError(
            f"{question.path}: the process that reads it ended with {process.returncode}; see that there is memory"
            " for it"
        )
    if isinstance(made, str):
        raise CannotStartError(made)
    assert isinstance(made, Taken), "is all that is answered otherwise"
    return made, pieces


def _begun() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - ourselves


def _heard(process: subprocess.Popen[bytes], asked: bytes) -> tuple[Taken | str | None, list[bytes]]:
    """What it answered, and the pieces of the line; nothing where it failed."""
    told, _ = process.communicate(asked)
    if process.returncode:
        return None, []
    end = LENGTH + int.from_bytes(told[:LENGTH], "big")
    made = pickle.loads(told[LENGTH:end])  # noqa: S301 - by our own program
    return made, [told[at : at + PIECE] for at in range(end, len(told), PIECE)]


def answer(asked: bytes) -> list[bytes]:
    """What the process writes."""
    question: Question = pickle.loads(asked)  # noqa: S301 - by our own program
    try:
        made = taken(question.path, question.version, question.pepper)
    except CannotStartError as error:
        told = pickle.dumps(str(error))
        return [len(told).to_bytes(LENGTH, "big"), told]
    told = pickle.dumps(replace(made, line=b""))
    return [len(told).to_bytes(LENGTH, "big"), told, made.line]


if __name__ == "__main__":
    os.nice(NICE)
    for part in answer(sys.stdin.buffer.read()):
        sys.stdout.buffer.write(part)
