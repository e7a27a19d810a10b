"""`python -m mizzen_controlplane secrets`: what runs in a cluster before each start of the control plane."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from mizzen_kube.api import open_api
from mizzen_kube.environment import from_environment

from mizzen_controlplane.cluster.installation_secret import installation_secrets, lay_out
from mizzen_controlplane.kit.settings import SettingsError


def lay_out_secrets(environment: Mapping[str, str] = os.environ) -> None:
    """Fill the Secret of MIZZEN_SECRET_NAME where it is empty, and write its keys below MIZZEN_SECRETS_DIR.

    Raises SettingsError.
    """
    given = {
        name: environment.get(name, "") for name in ("MIZZEN_NAMESPACE", "MIZZEN_SECRET_NAME", "MIZZEN_SECRETS_DIR")
    }
    if absent := [name for name, value in given.items() if not value]:
        raise SettingsError(f"{' and '.join(absent)} must be set; the chart does so.")
    folder = Path(given["MIZZEN_SECRETS_DIR"])
    texts = asyncio.run(
        _read(given["MIZZEN_NAMESPACE"], given["MIZZEN_SECRET_NAME"], environment.get("MIZZEN_SECRET_MAKE", "1") == "1")
    )
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lay_out(texts, folder)
    except OSError as error:
        raise SettingsError(f"MIZZEN_SECRETS_DIR: {folder} cannot be written ({error.strerror}).") from error


async def _read(namespace: str, name: str, make: bool) -> Mapping[str, str]:
    async with open_api(await from_environment()) as api:
        return await installation_secrets(api, namespace, name, make=make)
