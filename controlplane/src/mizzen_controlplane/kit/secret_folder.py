"""The folder of secrets: pepper, page key, the programs' tokens, keys of content and of the audit trail; read at start.

The keys that seal stored secrets alone are read whenever they are needed, so that they rotate without a restart.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from mizzen_controlplane.kit.settings import SettingsError

PROGRAMS = ("admin", "gateway", "runner", "registry")
"""Who has a token in the folder on one machine; in a cluster programs come with tokens of their service accounts."""
ADMIN_ALONE = ("admin",)
CONTENT_KEY = "files-key"
"""The file that may be missing: without it no content of callers is kept."""
CONTENT_KEY_PATTERN = re.compile(r"^[0-9a-f]{64}$")
AUDIT_KEY = "audit-key"
"""The file without which the audit trail is not anchored."""
AUDIT_KEY_PATTERN = re.compile(r"^(public:)?[0-9a-f]{64}$")
AUDIT_SINK_TOKEN = "audit-sink-token"  # noqa: S105 - the name of a file
SEALING_KEY = "sealing-key"
"""The file whose first line wraps the keys of stored secrets; earlier ones on further lines."""
SEALING_KEY_PATTERN = re.compile(r"^[0-9a-f]{64}$")
FOLDER = "MIZZEN_SECRETS_DIR must name the folder that `mizzen up` made."
NAMED = "{setting} must name a file that this user may read, or not be set."
TOKEN_PATTERN = re.compile(r"^mzt_[a-z]+_[A-Za-z0-9]{43}$")


@dataclass(frozen=True, slots=True)
class SecretFolder:
    """Secrets in memory. Tokens are kept as digests alone."""

    pepper: bytes = field(repr=False)
    page_key: bytes = field(repr=False)
    token_digests: dict[bytes, str] = field(repr=False)
    """SHA-256 of a token -> name of its program."""
    content_keys: tuple[bytes, ...] = field(default=(), repr=False)
    """What files are sealed with: the first one seals, each opens. None where content is not kept."""
    audit_keys: tuple[str, ...] = field(default=(), repr=False)
    """What anchors of the audit trail are signed with: the first one signs, each is known."""
    audit_sink_token: str = field(default="", repr=False)
    """What an endpoint that takes anchors knows this installation by."""


def read_secrets(
    folder: Path, programs: Sequence[str] = PROGRAMS, named: Mapping[str, Path] = MappingProxyType({})
) -> SecretFolder:
    """Read `folder`, with tokens of `programs`; `named` files, which must be there, stand for those of that name.

    Raises SettingsError naming the file that is missing or malformed.
    """
    digests: dict[bytes, str] = {}
    for program in programs:
        token = _text(folder / program)
        if not TOKEN_PATTERN.match(token) or not token.startswith(f"mzt_{program}_"):
            raise SettingsError(
                f"{folder / program} does not hold a token of the form mzt_{program}_ and 43 characters. "
                "Remove the file and start `mizzen up`, which makes a new one."
            )
        digests[token_digest(token)] = program
    place = {name: _place(folder, name, named) for name in (CONTENT_KEY, AUDIT_KEY, AUDIT_SINK_TOKEN, SEALING_KEY)}
    if sealing := place[SEALING_KEY]:
        sealing_keys(sealing)
    sink_token = place[AUDIT_SINK_TOKEN]
    return SecretFolder(
        pepper=_text(folder / "pepper").encode(),
        page_key=_text(folder / "page-key").encode(),
        token_digests=digests,
        content_keys=_content_keys(place[CONTENT_KEY]),
        audit_keys=_audit_keys(place[AUDIT_KEY]),
        audit_sink_token=_text(sink_token) if sink_token else "",
    )


def _place(folder: Path, name: str, named: Mapping[str, Path]) -> Path | None:
    """Where an optional secret is, None where nowhere."""
    if name in named:
        _text(named[name], NAMED.format(setting=f"MIZZEN_{name.upper().replace('-', '_')}_FILE"))
        return named[name]
    return folder / name if (folder / name).exists() else None


def sealing_keys(path: Path) -> tuple[bytes, ...]:
    """Keys in the file `path`, 32 bytes each, the present one first; none where there is no file.

    Raises SettingsError for a file that holds something else.
    """
    if not path.exists():
        return ()
    lines = _text(path).split()
    if not all(SEALING_KEY_PATTERN.match(line) for line in lines):
        raise SettingsError(
            f"{path} must hold 64 hexadecimal digits, and earlier keys on further lines. `openssl rand -hex 32` makes "
            "one; restore a lost one from a backup."
        )
    return tuple(bytes.fromhex(line) for line in lines)


def _audit_keys(path: Path | None) -> tuple[str, ...]:
    if path is None:
        return ()
    lines = tuple(_text(path).split())
    if not all(AUDIT_KEY_PATTERN.match(line) for line in lines):
        raise SettingsError(
            f"{path} must hold 64 hexadecimal digits, and earlier keys on further lines, also as `public:` and the "
            "public half. `openssl rand -hex 32` makes one; without the file, the audit trail is not anchored."
        )
    return lines


def _content_keys(path: Path | None) -> tuple[bytes, ...]:
    if path is None:
        return ()
    lines = _text(path).split()
    if not all(CONTENT_KEY_PATTERN.match(line) for line in lines):
        raise SettingsError(
            f"{path} must hold 64 hexadecimal digits, and earlier keys on further lines. `openssl rand -hex 32` makes "
            "one; without the file, files and batches are switched off."
        )
    return tuple(bytes.fromhex(line) for line in lines)


def token_digest(token: str) -> bytes:
    """What a token is known by."""
    return hashlib.sha256(token.encode()).digest()


def _text(path: Path, remedy: str = FOLDER) -> str:
    try:
        text = path.read_text().strip()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}). {remedy}") from error
    if not text:
        raise SettingsError(f"{path} is empty. Restore it from a backup, or remove it and start `mizzen up`.")
    return text
