"""How does a new sealing key get into its file? First, above those that are still needed, at one stroke."""

import os
import secrets
from collections.abc import Set as AbstractSet
from pathlib import Path

from mizzen_controlplane.kit.envelopes import mark_of
from mizzen_controlplane.kit.secret_folder import sealing_keys


def put_new_key_first(path: Path, needed: AbstractSet[str]) -> None:
    """Write a new key before those of `path` whose marks are in `needed`. Whoever reads sees the old file or the new.

    Raises SettingsError for a file that holds something else.
    """
    kept = [key for key in sealing_keys(path) if mark_of(key).hex() in needed]
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.writelines(f"{key.hex()}\n" for key in (secrets.token_bytes(32), *kept))
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)
