"""How is a key made, and what of it may be kept? Its id and a digest; the key itself is shown once."""

import hmac
import secrets
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mizzen_crds.api_keys import with_checksum

from mizzen_gateway.auth.api_key import ID_LENGTH, SECRET_LENGTH, split_key
from mizzen_gateway.standalone.allowances import ApiKey
from mizzen_gateway.standalone.parts import SecretMissingError

BASE32: Final = "abcdefghijklmnopqrstuvwxyz234567"
LETTERS: Final = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class FreshKey:
    """A key that nobody has yet."""

    text: str
    """`mzk_...`: the caller's."""
    id: str
    """key_...: for the file."""
    digest: str
    """For the file."""


def fresh_key(pepper: bytes) -> FreshKey:
    """From the system's randomness: 256 bits."""
    public = "".join(secrets.choice(BASE32) for _ in range(ID_LENGTH))
    secret = "".join(secrets.choice(LETTERS) for _ in range(SECRET_LENGTH))
    text = with_checksum(f"mzk_{public}_{secret}".encode()).decode()
    return FreshKey(text, f"key_{public}", digest_of(secret.encode(), pepper))


def digest_of(secret: bytes, pepper: bytes) -> str:
    """What a key's secret part is known by."""
    return hmac.new(pepper, secret, "sha256").hexdigest()


def known_by(key: ApiKey, pepper: bytes, folder: Path) -> tuple[str, str]:
    """(id, digest) of a key of the file. Raises SecretMissingError where the key is not where the file says."""
    if key.key is None:
        return key.id or "", key.digest or ""
    what = f"the key {key.name!r}"
    parts = split_key(key.key.read(folder, what).encode())
    if parts is None:
        raise SecretMissingError(f"{what}: is no key of the form mzk_...; `mizzen gateway key` makes one")
    key_id, secret = parts
    return key_id, digest_of(secret, pepper)
