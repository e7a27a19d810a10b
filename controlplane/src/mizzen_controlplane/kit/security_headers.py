"""What does every answer tell a browser? Not to guess its type, frame it, run anything in it, or keep it.

No header allows another origin anything (CORS is off): a page elsewhere cannot read an answer of this API.
"""

from collections.abc import Iterable
from typing import Final

Header = tuple[bytes, bytes]

ALWAYS: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
OVER_TLS: Final[Header] = (b"strict-transport-security", b"max-age=31536000")


def secured(headers: Iterable[Header], scheme: str) -> list[Header]:
    """`headers`, with those that the answer does not set itself."""
    given = list(headers)
    named = {name.lower() for name, _ in given}
    wanted = (*ALWAYS, OVER_TLS) if scheme == "https" else ALWAYS
    return [*given, *(header for header in wanted if header[0] not in named)]
