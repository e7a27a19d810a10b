"""How this process logs: JSON lines on standard error, with the request's id, and never a secret."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from mizzen_controlplane.kit.request_context import current_request_id

_SECRET = re.compile(r"mz[tk]_[a-z0-9]+_[A-Za-z0-9]{43,}")


def configure_logs() -> None:
    """Set structlog up for this process."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _with_request_id,
            _without_secrets,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def _with_request_id(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if current_request_id():
        line.setdefault("id", current_request_id())
    return line


def _without_secrets(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: _SECRET.sub("[redacted]", text) if isinstance(text, str) else text for name, text in line.items()}
