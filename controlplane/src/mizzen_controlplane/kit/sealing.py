"""How a remembered answer, which may hold a new secret, is kept so that only its first caller can read it again.

The pad is SHAKE-256 over the page key, the caller's token, the Idempotency-Key and a fresh salt; neither token nor
key is stored. Each salt is used once, so the pad is too; a tag over the ciphertext finds tampering.
"""

import hashlib
import hmac
import secrets

_SALT, _TAG = 16, 32


def seal(secret: bytes, body: bytes) -> bytes:
    """Salt, tag and body under a pad that `secret` opens."""
    salt = secrets.token_bytes(_SALT)
    hidden = _masked(secret, salt, body)
    return salt + _tag(secret, salt, hidden) + hidden


def unseal(secret: bytes, sealed: bytes) -> bytes:
    """The body; raises ValueError where it was tampered with or `secret` is another."""
    salt, tag, hidden = sealed[:_SALT], sealed[_SALT : _SALT + _TAG], sealed[_SALT + _TAG :]
    if not hmac.compare_digest(tag, _tag(secret, salt, hidden)):
        raise ValueError("the sealed answer was changed, or sealed for another caller")
    return _masked(secret, salt, hidden)


def _masked(secret: bytes, salt: bytes, text: bytes) -> bytes:
    key = hmac.digest(secret, b"pad" + salt, "sha256")
    pad = hashlib.shake_256(key).digest(len(text)) if text else b""
    return bytes(a ^ b for a, b in zip(text, pad, strict=True))


def _tag(secret: bytes, salt: bytes, hidden: bytes) -> bytes:
    return hmac.digest(secret, b"tag" + salt + hidden, "sha256")
