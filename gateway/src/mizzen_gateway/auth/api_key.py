"""Which key does a request carry?

A key is `mzk_<20 characters a-z2-7>_<43 characters A-Za-z0-9>`, and its checksum behind that. It comes as
`Authorization: Bearer`, `api-key` or `x-api-key`.
"""

from mizzen_crds.api_keys import LENGTH, LENGTH_OF_FIRST, has_wrong_checksum

from mizzen_gateway.stages import Headers

LENGTHS = (LENGTH, LENGTH_OF_FIRST)
"""Of a key, and of one that the first release made."""

ID_LENGTH = 20
SECRET_LENGTH = 43
SECRET_START = LENGTH_OF_FIRST - SECRET_LENGTH


def presented_key(headers: Headers) -> bytes:
    """What the request presents as its key; empty for nothing. Nothing is known about its form."""
    authorization = headers.get(b"authorization")
    if authorization is not None and authorization[:7].lower() == b"bearer ":
        return authorization[7:].strip()
    return headers.get(b"api-key") or headers.get(b"x-api-key") or b""


def shown_key(headers: Headers) -> str:
    """The id of the key that a request presents, good or not; empty for what cannot be one."""
    shown = split_key(presented_key(headers))
    return "" if shown is None else shown[0]


def split_key(presented: bytes) -> tuple[str, bytes] | None:
    """(key id, secret), or None where it cannot be a key: also where its checksum says that it was mistyped."""
    length = len(presented)
    if length not in LENGTHS or presented[:4] != b"mzk_" or presented[SECRET_START - 1] != 0x5F:
        return None
    if length == LENGTH and has_wrong_checksum(presented):
        return None
    public = presented[4 : 4 + ID_LENGTH]
    if not public.isalnum():
        return None
    return "key_" + public.decode("ascii"), presented[SECRET_START:LENGTH_OF_FIRST]
