"""Where do server-sent events end? With an empty line, after LF or, from some servers, CR LF."""

import re

EVENT_END = re.compile(rb"\r?\n\r?\n")
LF, CRLF = b"\n\n", b"\r\n\r\n"


def count_of_events(data: bytes) -> int:
    """How many end in it. Events hold JSON, in which a line end is always escaped."""
    count = data.count(LF)
    return count + data.count(CRLF) if b"\r" in data else count


def end_of_events(data: bytes, most: int) -> int:
    """Where the first so many events of the data end; all of it where there are no more."""
    if count_of_events(data) <= most:
        return len(data)
    end, event_end = 0, CRLF if CRLF in data else LF
    for _ in range(most):
        end = data.index(event_end, end) + len(event_end)
    return end
