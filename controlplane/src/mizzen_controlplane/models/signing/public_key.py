"""What is a public key, as people give it, and did it make this signature? Pure.

What knows ed25519 takes memory, and is loaded where somebody signs.
"""

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

RAW_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
_PRIVATE: Final = "PRIVATE KEY"
_TRIED: Final = 256
_NOTHING: Final = bytes([1]) + bytes(SIGNATURE_BYTES - 1)
"""The point of order one and zero: a signature that a sound key makes of nothing."""
HOW: Final = (
    "`openssl pkey -in KEY.pem -pubout` writes it of a private key made by `openssl genpkey -algorithm ed25519`"
)


class NoPublicKeyError(ValueError):
    """It is no public key that can be trusted; the text says why and what to do, and repeats nothing of it."""


def public_key_of(text: str) -> "Ed25519PublicKey":
    """The key in PEM, or in base64 of its 32 bytes or its DER; raises NoPublicKeyError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if _PRIVATE in text:
        raise NoPublicKeyError(
            "This is a private key, which belongs nowhere but with who signs. Regard it as known to others now: "
            f"make another, and give its public key; {HOW}"
        )
    try:
        key = _read(text.strip())
    except (ValueError, UnsupportedAlgorithm):
        raise NoPublicKeyError(f"This is no public key: give PEM, or base64 of its {RAW_BYTES} bytes; {HOW}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise NoPublicKeyError(f"This is a public key of another kind than ed25519; {HOW}")
    if _signs_nothing(key):
        raise NoPublicKeyError("Anybody can sign for this key (it is a point of low order): make another")
    return key


def _read(text: str) -> object:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

    if text.startswith("-----BEGIN"):
        return load_pem_public_key(text.encode())
    raw = base64.b64decode(text.encode(), validate=True)
    return Ed25519PublicKey.from_public_bytes(raw) if len(raw) == RAW_BYTES else load_der_public_key(raw)


def _signs_nothing(key: "Ed25519PublicKey") -> bool:
    """Whether a signature without any secret holds for some text: it does for one in eight, at the least, or never."""
    return any(_holds(key, _NOTHING, b"%d" % number) for number in range(_TRIED))


def _holds(key: "Ed25519PublicKey", signature: bytes, statement: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, statement)
    except InvalidSignature:
        return False
    return True


def made_by(public_hex: str, signature: bytes, statement: bytes) -> bool:
    """Whether the key, 64 hexadecimal digits, made the signature over the statement."""
    return _holds(_key(public_hex), signature, statement)


def _key(public_hex: str) -> "Ed25519PublicKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_hex))


def signature_of(text: str) -> bytes | None:
    """The 64 bytes of a signature in base64; None where it is none."""
    try:
        raw = base64.b64decode(text.strip().encode(), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    return raw if len(raw) == SIGNATURE_BYTES else None


def pem_of(public_hex: str) -> str:
    """In PEM, as openssl reads it."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return _key(public_hex).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def fingerprint_of(key: "Ed25519PublicKey") -> str:
    """`sha256:...` over its DER, as `openssl pkey -pubin -outform DER | sha256sum` has it."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return f"sha256:{hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()}"
