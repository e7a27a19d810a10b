"""How is content kept so that the database alone tells nothing of it? Sealed with AES-256-GCM, for a tenant and place.

Each file and batch is sealed under a key of its own, derived from the installation's. Tenant, owner and place are
authenticated with it: a piece that was moved to another tenant, file or place does not open.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Forbidden, Unavailable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_MARK: Final = 4
"""Bytes that tell which of the installation's keys it was."""
_NONCE: Final = 12


class Sealer:
    """Seals under the first key, opens what any of them has sealed."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {_mark(key): key for key in keys}
        self._first = _mark(keys[0])

    def seal(self, project_id: str, owner: str, place: int, text: bytes) -> bytes:
        """Mark, nonce and what AES-GCM makes of it."""
        nonce = secrets.token_bytes(_NONCE)
        return (
            self._first
            + nonce
            + _cipher(self._keys[self._first], owner).encrypt(nonce, text, _bound_to(project_id, owner, place))
        )

    def unseal(self, project_id: str, owner: str, place: int, sealed: bytes) -> bytes:
        """The text; raises Unavailable where its key is gone or it was changed."""
        from cryptography.exceptions import InvalidTag  # here: who keeps no content need not load it

        key = self._keys.get(sealed[:_MARK])
        if key is None:
            raise Unavailable(
                "The content was sealed under a key that the file `files-key` no longer holds. Put that key back, on a "
                "line of its own below the present one.",
                code="content_key_missing",
            )
        nonce, hidden = sealed[_MARK : _MARK + _NONCE], sealed[_MARK + _NONCE :]
        try:
            return _cipher(key, owner).decrypt(nonce, hidden, _bound_to(project_id, owner, place))
        except InvalidTag as error:
            raise Unavailable(
                "The content in the database was changed since it was sealed. Restore it from a backup.",
                code="content_changed",
            ) from error


def sealer_of(plane: Plane) -> Sealer:
    """The installation's; raises Forbidden where content is not to be kept."""
    if not plane.secrets.content_keys:
        raise Forbidden(
            "Files and batches keep what callers send, and are not switched on here. Whoever runs this installation "
            "does so with a key: `openssl rand -hex 32` into the file `files-key` of the control plane's secrets, then "
            "a restart of it (docs/how-to/batches.md).",
            code="not_offered",
        )
    return Sealer(plane.secrets.content_keys)


def _mark(key: bytes) -> bytes:
    return hashlib.sha256(b"mizzen content key" + key).digest()[:_MARK]


def _bound_to(project_id: str, owner: str, place: int) -> bytes:
    return f"{project_id}\0{owner}\0{place}".encode()


def _cipher(key: bytes, owner: str) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # as above

    return AESGCM(hmac.digest(key, b"mizzen content\0" + owner.encode(), "sha256"))
