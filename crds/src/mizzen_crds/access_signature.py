"""How does a gateway know that access is the control plane's own word? By an HMAC over the very bytes of it.

Both have the pepper; the key is derived from it, so that one is never taken for the other. What is signed says its own
version, and a gateway never goes back to an older one.
"""

import hashlib
import hmac
from collections.abc import Iterable
from typing import Final

from mizzen_crds.access import AccessSnapshot

PURPOSE: Final = b"mizzen access feed 1"


def signing_key(pepper: bytes) -> bytes:
    """What access is signed with."""
    return hmac.digest(pepper, PURPOSE, "sha256")


def signature_of(key: bytes, pieces: Iterable[bytes]) -> str:
    """HMAC-SHA256 in hex, over the text of a snapshot or delta as it travels, which may come in pieces."""
    signed = hmac.new(key, digestmod=hashlib.sha256)
    for piece in pieces:
        signed.update(piece)
    return signed.hexdigest()


def signed_line(key: bytes, kind: str, version: int, text: bytes) -> bytes:
    """A line of the feed, with its end: `kind` is SNAPSHOT or DELTA, `text` the JSON of it."""
    opening = b'{"type":"%b","version":%d,"%b":' % (kind.encode(), version, kind.lower().encode())
    return b'%b%b,"signature":"%b"}\n' % (opening, text, signature_of(key, (text,)).encode())


def snapshot_line(pepper: bytes, snapshot: AccessSnapshot) -> bytes:
    """The line of a snapshot that is small enough to be an object."""
    return signed_line(signing_key(pepper), "SNAPSHOT", snapshot.version, snapshot.model_dump_json().encode())
