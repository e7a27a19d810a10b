"""What is one span? Values alone; `otlp.py` writes them as messages."""

from dataclasses import dataclass
from enum import IntEnum

Attributes = dict[str, str | int | float | bool]


class Kind(IntEnum):
    """OTLP's numbers."""

    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    CONSUMER = 5


@dataclass(slots=True)
class Span:
    """Something that took time. Times are nanoseconds since the epoch."""

    trace_id: int
    span_id: int
    parent_id: int
    """0 for none."""
    flags: int
    state: str
    """W3C tracestate."""
    name: str
    kind: Kind
    started_ns: int
    ended_ns: int
    attributes: Attributes
    failed: bool = False
    links: tuple[tuple[int, int], ...] = ()
    """Other spans, each by its trace's id and its own."""
