"""Is this the password? Argon2id, in threads and two at a time: each takes 64 MiB and tens of milliseconds."""

import asyncio
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from mizzen_controlplane.kit.problem import invalid_field

SHORTEST: Final = 12
LONGEST: Final = 1024
_HASHER: Final = PasswordHasher()  # RFC 9106, second recommendation: 64 MiB, 3 passes, 4 lanes
_AT_ONCE: Final = asyncio.Semaphore(2)
_NOBODYS: Final = "$argon2id$v=19$m=65536,t=3,p=4$sW3bF7C3thUoKiN4ErEvGw$hpV/ym5qMDCExjQ1jgYDGCevgM6bgPK2QO192+w2kHY"
"""Compared with where there is no account, so that both take as long."""


async def hashed(password: str) -> str:
    """The hash, with its parameters and a salt of its own."""
    async with _AT_ONCE:
        return await asyncio.to_thread(_HASHER.hash, password)


async def is_password(password_hash: str | None, password: str) -> bool:
    """Whether the hash is of this password; `None`, for no account, takes as long and is never."""
    async with _AT_ONCE:
        same = await asyncio.to_thread(_verified, password_hash or _NOBODYS, password)
    return same and password_hash is not None


def _verified(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerifyMismatchError, VerificationError, InvalidHashError):
        return False


def refuse_weak(pointer: str, password: str, username: str, before: str) -> None:
    """Raise Invalid for a new password that is too short, the name, or the old one."""
    if len(password) < SHORTEST:
        raise invalid_field(pointer, f"The new password has {len(password)} characters; give at least {SHORTEST}.")
    if password == before:
        raise invalid_field(pointer, "The new password is the old one. Choose another.")
    if username.casefold() in password.casefold() and len(password) < len(username) + SHORTEST:
        raise invalid_field(pointer, "The new password is little more than the user name. Choose another.")
