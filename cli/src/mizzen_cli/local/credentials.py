"""The secrets of an installation: made once, at the first start, readable by their owner alone."""

import os
import secrets
import string
from pathlib import Path

PROGRAM_TOKENS = ("admin", "gateway", "runner", "registry")
FIRST_PASSWORD = "admin-password"  # noqa: S105 - a file's name
"""Of the local account `admin`: it works once, to set one's own."""
RANDOM_HEX = ("pepper", "page-key", "audit-key", "sealing-key")
ALPHABET = string.ascii_letters + string.digits
TOKEN_LENGTH = 43
"""Of 62 characters: 256 bits."""


def ensure_credentials(folder: Path) -> None:
    """Make what is missing; what exists is never changed."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    for name in RANDOM_HEX:
        make_once(folder / name, secrets.token_hex(32))
    for name in PROGRAM_TOKENS:
        make_once(folder / name, f"mzt_{name}_{random_text()}")
    make_once(folder / FIRST_PASSWORD, random_text()[:24])


def random_text() -> str:
    """256 random bits as letters and digits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(TOKEN_LENGTH))


def make_once(path: Path, text: str) -> None:
    """Write a secret unless there is one. It appears whole or not at all, also for two starts at once."""
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def read_credential(folder: Path, name: str) -> str:
    """Text of a secret."""
    return (folder / name).read_text().strip()
