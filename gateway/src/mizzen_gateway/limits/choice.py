"""Which store does MIZZEN_LIMITS_STORE name? This process, or a server that gateways share."""

import time
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

from mizzen_gateway.limits.leases import CreditLeases
from mizzen_gateway.limits.process_store import ProcessStore
from mizzen_gateway.limits.redis_server import RedisServer
from mizzen_gateway.limits.shared_credit import CreditSource, SharedCredit
from mizzen_gateway.limits.shared_server import LimitServer
from mizzen_gateway.limits.shared_store import HOLD_SECONDS, SharedStore

PROCESS = "process"
REDIS_SCHEMES = ("redis", "rediss", "valkey", "valkeys")
POSTGRES_SCHEMES = ("postgresql", "postgres")
SCHEMES = REDIS_SCHEMES + POSTGRES_SCHEMES


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """What the environment says of the store."""

    address: str = PROCESS
    """`process`, or a URL of one of `SCHEMES`."""
    password: str = ""
    """Put into the URL; empty where it has its own."""
    hold_seconds: float = HOLD_SECONDS
    """How long a gateway that is gone holds what its requests had taken."""


def why_unusable(settings: StoreSettings) -> str | None:
    """What is wrong with the address; None for nothing."""
    if settings.address == PROCESS:
        return None
    try:
        parts = urlsplit(settings.address)
        port = None if "," in parts.netloc else parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in SCHEMES:
        return f"{parts.scheme or settings.address!r} is none of {PROCESS}, {', '.join(f'{one}://' for one in SCHEMES)}"
    if "," in parts.netloc.rpartition("@")[2]:
        return (
            "names several hosts; name one, at which the primary always answers: members of a cluster or a Sentinel are"
            " not followed"
        )
    if not parts.hostname or port == 0:
        return "names no host"
    return None


def open_store(settings: StoreSettings, leases: CreditLeases, ledger: CreditSource) -> ProcessStore | SharedStore:
    """The store; a shared one still has to be run."""
    if settings.address == PROCESS:
        return ProcessStore(leases)
    url = with_password(settings.address, settings.password)
    server = _server(url)
    credit = SharedCredit(ledger, server, name_of(url), time.time)
    return SharedStore(server, credit, hold_seconds=settings.hold_seconds)


def _server(url: str) -> LimitServer:
    if urlsplit(url).scheme not in POSTGRES_SCHEMES:
        return RedisServer(url)
    from mizzen_gateway.limits.postgres_server import PostgresServer  # here: others need no driver in memory

    return PostgresServer(url)


def with_password(url: str, password: str) -> str:
    """The URL with the password in it."""
    if not password:
        return url
    parts = urlsplit(url)
    user = parts.username or ""
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{place}"))


def name_of(url: str) -> str:
    """The same for every gateway at the store, and no secret: the holder of its leases."""
    parts = urlsplit(url)
    database = parts.path.strip("/") or "0"
    return f"limits.{parts.hostname}.{parts.port or 0}.{database}"[:200]
