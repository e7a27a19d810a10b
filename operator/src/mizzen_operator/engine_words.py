"""Which lines of an engine's log tell why it ended? Its errors; not the tables and banners printed around them, nor
what it complains of at every start without a GPU."""

import re
from typing import Final

MOST_CHARACTERS: Final = 2048
ERROR_LINE: Final = re.compile(
    r"^[EF]\d{4} "  # glog, as Triton writes it
    r"|\b(?:ERROR|CRITICAL|FATAL)\b"
    r"|^\s*(?:[\w.]+(?:Error|Exception|Exit|Interrupt)|error|fatal|panic|Killed|terminate called)\b"
)
GLOG_LINE: Final = re.compile(r"^[IWEF]\d{4} ")
TABLE_LINE: Final = re.compile(r"^[+|].*[+|]$")
USUAL_LINE: Final = re.compile(
    r"^[EWI]\d{4} .*\b(?:CudaDriverHelper has not been|(?:pinned|CUDA) memory pool (?:will|disabled))"
)
"""What Triton writes at each start on a CPU, as a warning and as an error, and then serves all the same."""


def last_words(text: str, most: int = MOST_CHARACTERS) -> str:
    """Return what an engine said last, without Triton's information where it tells errors.

    Of more than `most` characters, the errors alone.
    """
    lines = _words(text)
    if any(map(ERROR_LINE.search, lines)):
        lines = _without_information(lines)
    words = "\n".join(lines)
    return words if len(words) <= most else telling_lines(text, most)


def telling_lines(text: str, most: int = MOST_CHARACTERS) -> str:
    """Return the last lines that report errors, else the last lines at all; at most `most` characters, whole lines.

    A single line that is longer keeps its beginning, where the reason stands.
    """
    words = _words(text)
    errors = [line for line in words if ERROR_LINE.search(line)]
    return _last_lines(errors or words, most)


def _without_information(lines: list[str]) -> list[str]:
    """A line without a head of its own belongs to the one above it."""
    kept, informs = [], False
    for line in lines:
        if GLOG_LINE.match(line):
            informs = line.startswith("I")
        if not informs or ERROR_LINE.search(line):
            kept.append(line)
    return kept


def _words(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return [line for line in lines if not TABLE_LINE.match(line.strip()) and not USUAL_LINE.match(line)] or lines


def _last_lines(lines: list[str], most: int) -> str:
    kept: list[str] = []
    room = most
    for line in reversed(lines):
        if len(line) + 1 > room:
            break
        kept.append(line)
        room -= len(line) + 1
    if not kept and lines:
        return lines[-1][:most]
    return "\n".join(reversed(kept))
