"""What does a log line look like? One JSON object; nothing that looks like a key or token is ever in it."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog

SECRET = re.compile(r"(mz[kt]_[A-Za-z0-9-]{2,24}_)[A-Za-z0-9_-]{8,}|(?i:(bearer\s+))\S+")


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of structlog: cut secrets out of every text."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = SECRET.sub(_without_secret, value)
    return event


def _without_secret(match: re.Match[str]) -> str:
    return f"{match.group(1) or match.group(2)}..."


class SteadyStream:
    """A stream whose failures nobody hears: a disk that is full must not break the request that logs it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost = 0
        """Writes that failed."""

    def write(self, text: str) -> int:
        """Write, or count the loss."""
        try:
            return self._stream.write(text)
        except OSError:
            self.lost += 1
            return 0

    def flush(self) -> None:
        """Flush, or count the loss."""
        try:
            self._stream.flush()
        except OSError:
            self.lost += 1


def set_up_logs(level: str = "INFO") -> None:
    """Log to standard error from now on."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping().get(level.upper(), 20)),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, SteadyStream(sys.stderr))),
        cache_logger_on_first_use=True,
    )
