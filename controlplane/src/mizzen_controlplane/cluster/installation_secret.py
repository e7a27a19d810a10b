"""Where do the secrets of an installation come from in a cluster? Its Secret is filled once, by the first start.

The chart renders the Secret without content, always alike, so that no render, upgrade or GitOps tool can ever make its
content anew. `python -m mizzen_controlplane secrets` runs before each start: it fills the Secret where it is empty and
lays its keys out as files for the control plane alone. Several may do so at once: the first one's write counts.
"""

import base64
import secrets
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from mizzen_kube.errors import ApiError, ConflictError, ForbiddenError, NotFoundError
from mizzen_kube.resources import SECRETS, Resource

from mizzen_controlplane.kit.settings import SettingsError

KEYS: Final = ("pepper", "page-key", "admin")
"""All that the control plane needs; programs come with tokens of their service accounts."""
SEALING_KEY: Final = "sealing-key"
"""Made also for an installation of a release that had none; a Secret that somebody else fills need not have it."""
FIRST_PASSWORD: Final = "admin-password"  # noqa: S105 - a key's name
"""Of the local account `admin`. Made with the others, but a Secret that somebody else fills need not have it."""
OPTIONAL: Final = ("files-key", "audit-key", "audit-sink-token", SEALING_KEY, FIRST_PASSWORD)
"""Laid out where it is there: it switches something on."""
FIELD_MANAGER: Final = "mizzen-controlplane"
TRIES: Final = 10
ALPHABET: Final = string.ascii_letters + string.digits


class Secrets(Protocol):
    """The API server, as far as it is needed here."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> dict[str, object]:
        """Return an object. Raises ApiError."""
        ...

    async def json_patch(
        self, resource: Resource, name: str, namespace: str, operations: list[dict[str, object]], *, field_manager: str
    ) -> dict[str, object]:
        """Patch an object. Raises ApiError."""
        ...


async def installation_secrets(api: Secrets, namespace: str, name: str, *, make: bool) -> Mapping[str, str]:
    """The text of every key, made now where the Secret is empty and `make`; of `OPTIONAL` what is there.

    Raises SettingsError.
    """
    for _ in range(TRIES):
        try:
            held = await api.get(SECRETS, name, namespace)
            found = _texts(held.get("data"))
            missing = [key for key in (*KEYS, *((SEALING_KEY,) if make else ())) if not found.get(key)]
            if not missing:
                return {key: found[key] for key in (*KEYS, *OPTIONAL) if found.get(key)}
            _refuse_to_make(found, missing, f"{namespace}/{name}", make)
            await api.json_patch(SECRETS, name, namespace, _filling(held, found, missing), field_manager=FIELD_MANAGER)
        except ConflictError:
            continue  # another replica was faster: what it wrote counts
        except ApiError as error:
            raise SettingsError(_remedy(error, f"{namespace}/{name}")) from error
    raise SettingsError(f"Secret {namespace}/{name} changed at each of {TRIES} tries; see who else writes to it.")


def lay_out(texts: Mapping[str, str], folder: Path) -> None:
    """Write each as a file that its owner alone reads."""
    for name, text in texts.items():
        path = folder / name
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(text)


def _texts(data: object) -> dict[str, str]:
    given = data if isinstance(data, dict) else {}
    return {key: base64.b64decode(value).decode().strip() for key, value in given.items()}


def _refuse_to_make(found: Mapping[str, str], missing: list[str], secret: str, make: bool) -> None:
    named = " and ".join(missing)
    if not make:
        raise SettingsError(
            f"Secret {secret} has no {named}. Whoever makes it must add it; see docs/how-to/install.md."
        )
    if found and "pepper" in missing:
        raise SettingsError(
            f"Secret {secret} has content but no pepper, and a new one would make every API key unknown. "
            "Restore the Secret from a backup; to begin anew, remove all its keys."
        )


def _filling(held: dict[str, object], found: Mapping[str, str], missing: list[str]) -> list[dict[str, object]]:
    """Add what is missing, if nobody wrote since it was read."""
    first = {} if missing == [SEALING_KEY] else {FIRST_PASSWORD: _made(FIRST_PASSWORD)}
    whole = {**first, **found, **{key: _made(key) for key in missing}}
    metadata = held["metadata"]
    assert isinstance(metadata, dict), "the API server sends metadata"
    data = {key: base64.b64encode(text.encode()).decode() for key, text in whole.items()}
    return [
        {"op": "test", "path": "/metadata/uid", "value": metadata["uid"]},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]},
        {"op": "add", "path": "/data", "value": data},
    ]


def _made(key: str) -> str:
    if key in ("pepper", "page-key", SEALING_KEY):
        return secrets.token_hex(32)
    if key == FIRST_PASSWORD:
        return "".join(secrets.choice(ALPHABET) for _ in range(24))
    return f"mzt_{key}_" + "".join(secrets.choice(ALPHABET) for _ in range(43))


def _remedy(error: ApiError, secret: str) -> str:
    if isinstance(error, NotFoundError):
        return (
            f"There is no Secret {secret}: the chart renders it, or secrets.existingSecret names it. Apply the chart."
        )
    if isinstance(error, ForbiddenError):
        return f"Secret {secret} may not be read or filled ({error.message}); apply the chart's Role and RoleBinding."
    return f"Secret {secret} cannot be read: {error.message}"
