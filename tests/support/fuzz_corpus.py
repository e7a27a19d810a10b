"""Bytes that fuzzing has found and that every run of the tests replays: what broke something, and what led further.

In `tests/corpus/fuzz/<target>` each file is what once broke something, but for `grown`: the fewest bytes known that
together reach all of the gateway that fuzzing has reached, a line of base64 each. The next fuzzing begins with them.
"""

import base64
import hashlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

CORPUS = Path(__file__).parents[1] / "corpus" / "fuzz"
GROWN = "grown"
LONGEST = 1024
"""Bytes that are worth a line."""
Arcs = frozenset[tuple[str, int, int]]
"""From line to line of a file."""


def pieces(data: bytes) -> list[bytes]:
    """By the first byte: whole, in single bytes, or in pieces of that length."""
    size, rest = (data[0], data[1:]) if data else (0, b"")
    return [rest[at : at + size] for at in range(0, len(rest), size)] if size else [rest]


def kept(target: str) -> list[bytes]:
    """Bytes that are replayed."""
    files = (path for path in sorted((CORPUS / target).glob("*")) if path.name != GROWN)
    return [*(path.read_bytes() for path in files), *grown(target)]


def keep(target: str, data: bytes) -> Path:
    """They broke something: from now on each run replays them."""
    path = CORPUS / target / f"found-{hashlib.sha256(data).hexdigest()[:12]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def grown(target: str) -> list[bytes]:
    """Bytes that led further."""
    path = CORPUS / target / GROWN
    return [base64.b64decode(line) for line in path.read_text().splitlines()] if path.exists() else []


def grow(target: str, call: Callable[[bytes], None], found: Iterable[bytes]) -> tuple[int, int]:
    """Keep of what was found the shortest that reach all that was reached: how many, and arcs of the gateway."""
    chosen, all_arcs = [], set[tuple[str, int, int]]()
    for data in sorted({*grown(target), *found}, key=lambda one: (len(one), one)):
        if len(data) <= LONGEST and (news := reached(call, data) - all_arcs):
            all_arcs |= news
            chosen.append(data)
    path = CORPUS / target / GROWN
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{base64.b64encode(data).decode()}\n" for data in chosen))
    return len(chosen), len(all_arcs)


def reached(call: Callable[[bytes], None], data: bytes) -> Arcs:
    """Which ways through the gateway's code those bytes take."""
    arcs: set[tuple[str, int, int]] = set()

    def trace(frame: FrameType, event: str, _value: Any) -> Any:
        name = frame.f_code.co_filename
        if event != "call" or "mizzen_gateway" not in name:
            return None
        before = 0

        def line(inner: FrameType, _event: str, _value: Any) -> Any:
            nonlocal before
            arcs.add((name, before, inner.f_lineno))
            before = inner.f_lineno
            return line

        return line

    earlier = sys.gettrace()
    sys.settrace(trace)
    try:
        call(data)
    finally:
        sys.settrace(earlier)
    return frozenset(arcs)
