"""What is the hash of an event over? A format each, kept for ever: events are verified by the format they were made in.

Pure, and without the database: the command that verifies an export uses it too. In format 1 the hash is over the event
itself. In format 2 personal data (a name, an e-mail address, a network address) stands outside: the hash is over a
commitment to it, so that it can be erased while the chain stays whole.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import orjson

GENESIS: Final = "0" * 64
"""In the place of a previous hash, in the first event."""
NEWEST: Final = 2

_FORMAT_1: Final = (
    "id", "number", "at", "actor", "action", "outcome", "resource", "resource_name", "project_id", "request_id",
    "before", "after", "previous_hash",
)  # fmt: skip
FIELDS: Final[Mapping[int, tuple[str, ...]]] = {1: _FORMAT_1, 2: (*_FORMAT_1, "format", "commitments")}


class UnknownFormatError(ValueError):
    """The event is of a newer release."""


def hash_of(event: Mapping[str, Any]) -> str:
    """SHA-256 over the event, its hash excepted, and so over the whole chain before it; `at` as ISO 8601 text.

    Raises UnknownFormatError.
    """
    made_in = event.get("format", 1)
    if made_in not in FIELDS:
        raise UnknownFormatError(f"event {event['number']} has format {made_in}; this release knows up to {NEWEST}")
    return hashlib.sha256(canonical({name: event[name] for name in FIELDS[made_in]})).hexdigest()


def commitment(salt: str, content: Mapping[str, Any]) -> str:
    """What stands for `content` in the chain; `salt` is hexadecimal."""
    return hashlib.sha256(b"mizzen audit personal\n" + bytes.fromhex(salt) + canonical(content)).hexdigest()


def canonical(content: Mapping[str, Any]) -> bytes:
    """JSON without blanks, UTF-8, names in order."""
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
