"""Which headers of callers does no setting pass on to engines? Keys, framing, and what is written here."""

from typing import Final

KEYS: Final = frozenset({"authorization", "proxy-authorization", "x-api-key", "api-key", "cookie"})
FRAMING: Final = frozenset(
    {
        "host", "connection", "keep-alive", "proxy-connection", "content-length", "transfer-encoding", "te", "trailer",
        "upgrade", "http2-settings", "expect",
    }
)  # fmt: skip
WRITTEN: Final = frozenset(
    {
        "accept", "accept-encoding", "content-encoding", "content-type", "inference-header-content-length", "range",
        "x-request-id",
    }
)  # fmt: skip
"""By the gateway, as what it sends and can read needs it."""
TOKEN: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~")


def why_not_forwarded(name: str) -> str | None:
    """Why engines may not see a caller's header of that lower-case name; None where they may."""
    if not name or not TOKEN.issuperset(name):
        return "must be the name of a header, such as x-tenant"
    if name in KEYS:
        return "holds callers' keys, which no engine may see; leave it out"
    if name in FRAMING:
        return "belongs to one connection or frames a message, which would be another one for the engine; leave it out"
    if name in WRITTEN:
        return "is written by the gateway itself; leave it out"
    return None
