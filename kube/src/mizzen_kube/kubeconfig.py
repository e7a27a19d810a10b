"""What does a kubeconfig say? Read by the `kubernetes` package, which knows every way to sign in.

Imported only outside a cluster: the package loads 700 generated models (27 MB, a second).
"""

import os
import ssl
from pathlib import Path
from typing import Any, Final

from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException
from kubernetes.aio.config.kube_config import load_kube_config
from yaml import YAMLError

from mizzen_kube.connection import Connection, FetchedToken

DEFAULT: Final = "~/.kube/config"
REMEDY: Final = "Run this in a pod, or set KUBECONFIG to a file that kubectl works with."


async def from_kubeconfig(path: str | None = None, context: str | None = None) -> Connection:
    """Return the connection of a kubeconfig's current, or the named, context.

    ValueError where the file is missing or names no usable cluster.
    """
    loaded = await _load(path, context)
    first = [_token_in(loaded)]

    async def fetch() -> str:
        return first.pop() if first else _token_in(await _load(path, context))

    return Connection(
        server=str(loaded.host).rstrip("/"),
        credentials=FetchedToken(fetch),
        tls=_tls(loaded),
        ca_file=Path(loaded.ssl_ca_cert) if loaded.ssl_ca_cert else None,
        proxy=loaded.proxy or None,
        server_name=loaded.tls_server_name or None,
    )


async def _load(path: str | None, context: str | None) -> Any:
    loaded = Configuration()
    try:
        await load_kube_config(  # type: ignore[no-untyped-call]  # the package has a py.typed, but few types
            config_file=path, context=context, client_configuration=loaded, persist_config=False
        )
    except (ConfigException, OSError, TypeError, YAMLError) as error:  # TypeError: YAML, but no mapping
        why = f"{path or DEFAULT}: {error}" if _is_there(path) else f"there is no {path or DEFAULT}"
        text = " ".join(why.split()).rstrip(".")
        raise ValueError(f"no API server to talk to: {text}. {REMEDY}") from error
    return loaded


def _is_there(path: str | None) -> bool:
    """KUBECONFIG may name several files."""
    return any(Path(one).expanduser().exists() for one in (path or DEFAULT).split(os.pathsep) if one)


def _token_in(loaded: Any) -> str:
    return str(loaded.api_key.get("BearerToken", "")).removeprefix("Bearer ").strip()


def _tls(loaded: Any) -> ssl.SSLContext | None:
    if not str(loaded.host).startswith("https://"):
        return None
    context = ssl.create_default_context(cafile=loaded.ssl_ca_cert)
    if loaded.cert_file:
        context.load_cert_chain(loaded.cert_file, loaded.key_file)
    if not loaded.verify_ssl:  # the user's own words in the kubeconfig
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
