"""How is a secret kept that must be read again, such as a webhook's? In an envelope, for one purpose and one row.

Each secret is encrypted with AES-256-GCM under a data key of its own; that key is wrapped by a key-encryption key,
which is not in the database (`KeyEncryption`). Purpose and row are authenticated: an envelope that was moved to
another row or column does not open. To change the key-encryption key, the data keys are wrapped anew, nothing else.
"""

import hashlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from mizzen_controlplane.kit.problem import Unavailable
from mizzen_controlplane.kit.secret_folder import SEALING_KEY, sealing_keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORM: Final = b"\x01"
MARK: Final = 4
"""Bytes that tell which key-encryption key it is."""
PREFIX: Final = len(FORM) + MARK
_LENGTH, _NONCE, _DATA_KEY = 2, 12, 32
_WRAPPED_FOR: Final = b"mizzen data key"


class KeyEncryption(Protocol):
    """Whoever holds the key-encryption keys: a file of this machine, or a key management service."""

    async def marks(self) -> tuple[bytes, ...]:
        """What tells its keys apart, `MARK` bytes each; the first wraps, each unwraps."""
        ...

    async def wrap(self, data_key: bytes) -> tuple[bytes, bytes]:
        """The mark of the key that wraps now, and `data_key` wrapped. Raises Unavailable."""
        ...

    async def unwrap(self, mark: bytes, wrapped: bytes) -> bytes:
        """The data key. Raises Unavailable where the key is gone, or what was wrapped has been changed."""
        ...


class KeyFile:
    """Key-encryption keys on the lines of a file, which is read again at each use: rotation needs no restart."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def marks(self) -> tuple[bytes, ...]:
        """See `KeyEncryption`."""
        return tuple(mark_of(key) for key in self._keys())

    async def wrap(self, data_key: bytes) -> tuple[bytes, bytes]:
        """See `KeyEncryption`."""
        first = next(iter(self._keys()))
        nonce = secrets.token_bytes(_NONCE)
        return mark_of(first), nonce + _cipher(first).encrypt(nonce, data_key, _WRAPPED_FOR)

    async def unwrap(self, mark: bytes, wrapped: bytes) -> bytes:
        """See `KeyEncryption`."""
        key = next((key for key in self._keys() if mark_of(key) == mark), None)
        if key is None:
            raise Unavailable(
                f"The secret was sealed under key {mark.hex()}, which {self._path} does not hold. Put that key back, "
                "on a line of its own below the present one.",
                code="sealing_key_missing",
            )
        return _opened(key, wrapped, _WRAPPED_FOR)

    def _keys(self) -> tuple[bytes, ...]:
        keys = sealing_keys(self._path)
        if not keys:
            raise Unavailable(
                f"There is no {self._path}, and no secret is kept without it. `openssl rand -hex 32` makes one: put it "
                f"into the file `{SEALING_KEY}` of the control plane's secrets.",
                code="sealing_key_missing",
            )
        return keys


class Envelopes:
    """Seals and opens secrets."""

    def __init__(self, keys: KeyEncryption) -> None:
        self._keys = keys

    async def seal(self, purpose: str, row_id: str, secret: bytes) -> bytes:
        """`secret` in an envelope of `purpose` and `row_id`, for a column of type `SealedBytes`. Raises Unavailable."""
        data_key, nonce = secrets.token_bytes(_DATA_KEY), secrets.token_bytes(_NONCE)
        mark, wrapped = await self._keys.wrap(data_key)
        hidden = _cipher(data_key).encrypt(nonce, secret, _bound_to(purpose, row_id))
        return _packed(mark, wrapped, nonce + hidden)

    async def open(self, purpose: str, row_id: str, sealed: bytes) -> bytes:
        """The secret. Raises Unavailable where it was changed, sealed for another row, or its key is gone."""
        mark, wrapped, hidden = _parts(sealed)
        return _opened(await self._keys.unwrap(mark, wrapped), hidden, _bound_to(purpose, row_id))

    async def marks(self) -> tuple[bytes, ...]:
        """What tells the key-encryption keys apart; the first one wraps."""
        return await self._keys.marks()

    async def rewrapped(self, sealed: bytes) -> bytes:
        """The same secret with its data key wrapped by the present key. Raises Unavailable."""
        mark, wrapped, hidden = _parts(sealed)
        return _packed(*await self._keys.wrap(await self._keys.unwrap(mark, wrapped)), hidden)


def mark_of(key: bytes) -> bytes:
    """What tells a key-encryption key apart."""
    return hashlib.sha256(b"mizzen sealing key" + key).digest()[:MARK]


def _packed(mark: bytes, wrapped: bytes, hidden: bytes) -> bytes:
    return FORM + mark + len(wrapped).to_bytes(_LENGTH, "big") + wrapped + hidden


def _parts(sealed: bytes) -> tuple[bytes, bytes, bytes]:
    if sealed[: len(FORM)] != FORM or len(sealed) < PREFIX + _LENGTH:
        raise _changed()
    begin = PREFIX + _LENGTH
    end = begin + int.from_bytes(sealed[PREFIX:begin], "big")
    return sealed[len(FORM) : PREFIX], sealed[begin:end], sealed[end:]


def _bound_to(purpose: str, row_id: str) -> bytes:
    return f"{purpose}\0{row_id}".encode()


def _cipher(key: bytes) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # here: who keeps no secret need not load it

    return AESGCM(key)


def _opened(key: bytes, sealed: bytes, bound_to: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag  # as above

    try:
        return _cipher(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], bound_to)
    except (InvalidTag, ValueError) as error:  # ValueError: cut so short that there is no nonce
        raise _changed() from error


def _changed() -> Unavailable:
    return Unavailable(
        "A secret in the database was changed since it was sealed, or is another row's. Set it anew, or restore the "
        "database from a backup.",
        code="sealed_secret_changed",
    )
