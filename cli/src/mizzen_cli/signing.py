"""How does a private key on this machine vouch for a version? Public keys and signatures alone leave it."""

import base64
import os
from collections.abc import Sequence
from pathlib import Path

import typer
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from mizzen_crds.signing import digest_of, statement_of

from mizzen_cli.artifact import LocalFile
from mizzen_cli.client import ApiClient, Json
from mizzen_cli.errors import CommandError, ExitCode

HOW = "`mizzen signing-keys generate FILE` makes one, `openssl genpkey -algorithm ed25519 -out FILE` too."
_SIGNATURE_BYTES = 64


def generate(file: Path) -> str:
    """Write a new private key, readable by its owner alone; returns the public one in PEM.

    Raises:
        CommandError: the file is there already, or cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise CommandError(f"{file} is there already, and a key is never overwritten. Name another.") from None
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}.", ExitCode.USAGE) from None
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    return _pem(key.public_key())


def public_text(file: Path) -> str:
    """The public key in a file, whatever its form; of a private key its public half, so that no other is sent."""
    text = _read(file).decode(errors="replace")
    return _pem(private_key(file).public_key()) if "PRIVATE KEY" in text else text


def private_key(file: Path) -> Ed25519PrivateKey:
    """The key in a PEM file; asks for its passphrase where it has one.

    Raises:
        CommandError: it is none of ed25519, or the passphrase is wrong.
    """
    content = _read(file)
    try:
        try:
            key = load_pem_private_key(content, None)
        except TypeError:  # it has a passphrase
            secret = typer.prompt(f"Passphrase of {file}", hide_input=True, err=True)
            key = load_pem_private_key(content, secret.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise CommandError(
            f"{file} is no private key in PEM, or its passphrase is another. {HOW}", ExitCode.USAGE
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise CommandError(f"{file} is a key of another kind than ed25519. {HOW}", ExitCode.USAGE)
    return key


def statement(version: Json, files: Sequence[LocalFile] | None) -> bytes:
    """What is to be signed of a version; with `files`, only where it is made of them.

    Raises:
        CommandError: the version's digest is not that of its files, or it is made of others.
    """
    told = [LocalFile(one["path"], Path(one["path"]), one["size"], one["sha256"]) for one in version["files"]]
    named = f"{version['model']} version {version['version']}"
    if digest_of(told) != version["digest"]:
        raise CommandError(f"{named}: its digest is not that of its files, so nothing was signed.")
    if files is not None and digest_of(files) != version["digest"]:
        raise CommandError(f"{named} is not made of the files here, so nothing was signed: {_difference(told, files)}.")
    return statement_of(version["model"], version["format"], version["digest"])


def _difference(told: Sequence[LocalFile], here: Sequence[LocalFile]) -> str:
    there, own = ({one.path: one.sha256 for one in files} for files in (told, here))
    missing, more = sorted(there.keys() - own.keys()), sorted(own.keys() - there.keys())
    if missing:
        return f"{missing[0]} is not here"
    if more:
        return f"it has no {more[0]}"
    return f"{next(path for path in sorted(own) if own[path] != there[path])} differs"


def post(api: ApiClient, version: Json, signature: bytes) -> Json:
    """Have the control plane keep a signature; returns it as it is kept."""
    below = api.path("models", version["model"], "versions", str(version["version"]), "signatures")
    return api.post(below, {"signature": base64.b64encode(signature).decode()})


def made_elsewhere(file: Path) -> bytes:
    """The 64 bytes of a signature in a file, as openssl writes it."""
    content = _read(file)
    if len(content) != _SIGNATURE_BYTES:
        raise CommandError(
            f"{file} has {len(content)} bytes, and a signature of ed25519 {_SIGNATURE_BYTES}: "
            "`openssl pkeyutl -sign -rawin -inkey KEY.pem -in STATEMENT -out FILE` writes one.",
            ExitCode.USAGE,
        )
    return content


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}.", ExitCode.USAGE) from None


def _pem(key: Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
