"""How a file is cut into parts for its upload: which offsets there are, and how long the part at each is."""

from collections.abc import Iterator, Sequence
from typing import Final

Range = tuple[int, int]
"""First byte, and the one after the last."""

PART_BYTES: Final = 8 << 20
LARGE_PART_BYTES: Final = 32 << 20
LARGE_FROM: Final = 16 << 30
"""Files from this size on come in large parts: there would be too many of the others to ask about."""


def part_bytes(size: int) -> int:
    """Length of every part but the last of a file of `size` bytes. Never changes: unfinished uploads rely on it."""
    return LARGE_PART_BYTES if size >= LARGE_FROM else PART_BYTES


def part_length(size: int, offset: int) -> int:
    """Bytes of the part at `offset`; 0 where no part begins."""
    each = part_bytes(size)
    return min(each, size - offset) if 0 <= offset < size and offset % each == 0 else 0


def merged(ranges: Sequence[Range], size: int) -> list[Range]:
    """The same bytes as few ranges, in order, none beyond `size`."""
    whole: list[Range] = []
    for first, end in sorted((first, min(end, size)) for first, end in ranges):
        if end <= first:
            continue
        if whole and first <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(end, whole[-1][1]))
        else:
            whole.append((first, end))
    return whole


def begins_with(ranges: Sequence[Range]) -> int:
    """How many bytes are here from the start on, of merged ranges."""
    return ranges[0][1] if ranges and ranges[0][0] == 0 else 0


def offsets(size: int) -> Iterator[int]:
    """Where parts begin."""
    return iter(range(0, size, part_bytes(size)))
