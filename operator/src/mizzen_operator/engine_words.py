"""Which lines of an engine's log tell why it ended? Its errors; not the tables and banners printed around them."""

import re
from typing import Final

MOST_CHARACTERS: Final = 2048
ERROR_LINE: Final = re.compile(
    r"^[EF]\d{4} "  # glog, as Triton writes it
    r"|\b(?:ERROR|CRITICAL|FATAL)\b"
    r"|^\s*(?:[\w.]+(?:Error|Exception|Exit|Interrupt)|error|fatal|panic|Killed|terminate called)\b"
)
TABLE_LINE: Final = re.compile(r"^[+|].*[+|]$")


def telling_lines(text: str, most: int = MOST_CHARACTERS) -> str:
    """Return the last lines that report errors, else the last lines at all; at most `most` characters, whole lines.

    A single line that is longer keeps its beginning, where the reason stands.
    """
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    words = [line for line in lines if not TABLE_LINE.match(line.strip())] or lines
    errors = [line for line in words if ERROR_LINE.search(line)]
    return _last_lines(errors or words, most)


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
