"""What an API key is made of: a public id and a secret of 256 bits, of which only an HMAC is kept."""

import hashlib
import hmac
import secrets
import string

from mizzen_crds.api_keys import with_checksum

_ID_ALPHABET = string.ascii_lowercase + "234567"
_SECRET_ALPHABET = string.ascii_letters + string.digits


def new_key_id() -> str:
    """`key_` and 20 characters of a-z2-7."""
    return "key_" + "".join(secrets.choice(_ID_ALPHABET) for _ in range(20))


def new_secret() -> str:
    """43 characters of A-Za-z0-9: 256 bits."""
    return "".join(secrets.choice(_SECRET_ALPHABET) for _ in range(43))


def digest_of(pepper: bytes, secret: str) -> str:
    """Hex of HMAC-SHA256(pepper, secret)."""
    return hmac.new(pepper, secret.encode(), hashlib.sha256).hexdigest()


def whole_key(key_id: str, secret: str) -> str:
    """What callers send: `mzk_<id without prefix>_<secret><checksum>`."""
    return with_checksum(f"mzk_{key_id.removeprefix('key_')}_{secret}".encode()).decode()
