"""Who may call a cluster, and with what? Tokens of users, the key that signs those of service accounts, kubeconfigs."""

import base64
import csv
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ADMIN = "admin"
_EC_KEY, _OCTETS_32, _P256 = bytes.fromhex("30310201010420"), 32, bytes.fromhex("a00a06082a8648ce3d030107")


@dataclass(frozen=True)
class User:
    """Somebody with a token of their own; RBAC says what they may."""

    name: str
    groups: tuple[str, ...] = ()
    token: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)


def write_tokens(path: Path, users: Sequence[User]) -> None:
    """The file of `--token-auth-file`: token, name, uid, groups."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([user.token, user.name, user.name, ",".join(user.groups)] for user in users)


def write_signing_key(path: Path) -> None:
    """A fresh P-256 key as PEM (SEC 1, RFC 5915); Go derives the public half itself."""
    number = 1 + secrets.randbelow(2**255)
    der = _EC_KEY + number.to_bytes(_OCTETS_32, "big") + _P256
    body = base64.encodebytes(der).decode()
    path.write_text(f"-----BEGIN EC PRIVATE KEY-----\n{body}-----END EC PRIVATE KEY-----\n")


def write_kubeconfig(path: Path, server: str, authority: Path, user: Mapping[str, str], namespace: str) -> None:
    """A kubeconfig with one context; `user` is its credential, such as `{"token": …}` or `{"tokenFile": …}`."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "mizzen",
        "clusters": [{"name": "mizzen", "cluster": {"server": server, "certificate-authority": str(authority)}}],
        "users": [{"name": "mizzen", "user": dict(user)}],
        "contexts": [
            {"name": "mizzen", "context": {"cluster": "mizzen", "user": "mizzen", "namespace": namespace}},
        ],
    }
    path.write_text(json.dumps(content, indent=1))
