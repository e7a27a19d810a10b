"""A call before it is sent, and whether and when it may be sent again: pure, for both transports."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
PASSING = frozenset({429, 503})
"""Statuses after which another try may succeed."""
LONGEST_WAIT = 30.0


@dataclass(frozen=True, slots=True)
class Call:
    """One operation of the API with its values."""

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    content: bytes | None = None

    def options(self) -> dict[str, Any]:
        """Arguments of httpx's `request` after method and path."""
        options: dict[str, Any] = {"params": present(self.query), "headers": dict(self.headers)}
        if self.json is not None:
            options["json"] = self.json
        if self.content is not None:
            options["content"] = self.content
        return options

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice does what sending it once does."""
        return self.method in REPEATABLE or "Idempotency-Key" in self.headers


def path_of(template: str, values: Mapping[str, Any]) -> str:
    """The path with its values in place; slashes stay in what may hold them (`path`, `grant`)."""
    kept = {name: quote(str(value), safe="/" if name in ("path", "grant") else "") for name, value in values.items()}
    return template.format(**kept)


def headers_of(
    if_match: str | None = None, idempotency_key: str | None = None, *, mint: bool = False
) -> dict[str, str]:
    """The headers of a write; `mint` makes an Idempotency-Key where none is given, so that it may be sent again."""
    key = idempotency_key or (secrets.token_hex(16) if mint else None)
    return present({"If-Match": if_match, "Idempotency-Key": key})


def present(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def wait_before(attempt: int, retry_after: float | None, chance: float) -> float:
    """Seconds before try number `attempt` (from 1): what the server asked, else doubling from 0.2 s; `chance` in [0, 1)
    keeps clients apart."""
    asked = retry_after if retry_after is not None else 0.2 * 2 ** (attempt - 1)
    return min(LONGEST_WAIT, asked) * (1 + 0.2 * chance)
