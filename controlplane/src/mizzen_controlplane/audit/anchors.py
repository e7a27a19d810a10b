"""What is an anchor? A signed statement of where the chain stood, or of where it begins: pure, without the database.

Whoever holds the anchors and the public key can prove that the chain still is what it was: the hash of one event fixes
all events before it. A `base` says that the installation itself removed what came up to a number, as it was too old.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from mizzen_controlplane.audit.chain_format import canonical

if TYPE_CHECKING:
    pass

HEAD: Final = "head"
BASE: Final = "base"
KEY_LINE: Final = re.compile(r"^(public:)?[0-9a-f]{64}$")
_STATEMENT: Final = "mizzen-audit-anchor/1"


@dataclass(frozen=True, slots=True)
class Anchor:
    """One statement."""

    number: int
    kind: str
    hash: str
    """Of event `number`."""
    at: str
    """When it was signed, ISO 8601."""
    key_id: str
    signature: str
    """ed25519, hexadecimal."""

    def line(self) -> bytes:
        """As it is sent to a sink: one line of JSON."""
        return canonical({name: getattr(self, name) for name in self.__slots__}) + b"\n"


def anchor_of(line: bytes | str | Mapping[str, Any]) -> Anchor | None:
    """The anchor in a line of a sink or of an export; None where it is none."""
    try:
        found = line if isinstance(line, Mapping) else orjson.loads(line)
        return Anchor(int(found["number"]), *(str(found[name]) for name in Anchor.__slots__[1:]))
    except (ValueError, KeyError, TypeError):
        return None


class AnchorKeys:
    """Signs with the first key, where it is a private one; knows the signatures of each."""

    def __init__(self, lines: Iterable[str]) -> None:
        """`lines`: 64 hexadecimal digits each, a private key; `public:` before those of a public key."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

        self._public: dict[str, Ed25519PublicKey] = {}
        self._signer: Ed25519PrivateKey | None = None
        for place, line in enumerate(lines):
            raw = bytes.fromhex(line.removeprefix("public:"))
            if line.startswith("public:"):
                public = Ed25519PublicKey.from_public_bytes(raw)
            else:
                private = Ed25519PrivateKey.from_private_bytes(raw)
                public = private.public_key()
                self._signer = private if place == 0 else self._signer
            self._public[key_id(public.public_bytes_raw())] = public

    @property
    def can_sign(self) -> bool:
        """There is a private key."""
        return self._signer is not None

    @property
    def public(self) -> dict[str, str]:
        """Id of a key -> its public half, hexadecimal."""
        return {name: key.public_bytes_raw().hex() for name, key in self._public.items()}

    def sign(self, number: int, kind: str, hash_: str, at: str) -> Anchor:
        """The anchor of event `number`."""
        assert self._signer is not None, "ask can_sign first"
        name = key_id(self._signer.public_key().public_bytes_raw())
        return Anchor(number, kind, hash_, at, name, self._signer.sign(_stated(number, kind, hash_, at)).hex())

    def vouch_for(self, anchor: Anchor) -> bool:
        """Whether one of the keys signed it."""
        from cryptography.exceptions import InvalidSignature

        key = self._public.get(anchor.key_id)
        if key is None:
            return False
        try:
            key.verify(bytes.fromhex(anchor.signature), _stated(anchor.number, anchor.kind, anchor.hash, anchor.at))
        except (InvalidSignature, ValueError):
            return False
        return True


def key_id(public: bytes) -> str:
    """What a public key is known by."""
    return hashlib.sha256(public).hexdigest()[:16]


def _stated(number: int, kind: str, hash_: str, at: str) -> bytes:
    return canonical({"statement": _STATEMENT, "number": number, "kind": kind, "hash": hash_, "at": at})
