"""What the environment says: every setting of the gateway, with its default."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mizzen_gateway.auth.client_address import networks_of
from mizzen_gateway.limits.choice import PROCESS, StoreSettings, why_unusable
from mizzen_gateway.limits.shared_store import HOLD_SECONDS
from mizzen_gateway.overload.rules import QUEUE_SECONDS, OverloadRules
from mizzen_gateway.protocols.openai.media_urls import NO_HOSTS, Hosts, hosts_of
from mizzen_gateway.stages import Network
from mizzen_gateway.wire.limits import MIB
from mizzen_gateway.wire.never_forwarded import why_not_forwarded

KUBERNETES = "kubernetes"
DISCOVERIES = ("controlplane", KUBERNETES)
OVERLOAD = ("measured", "off")
DEFAULT_TRACES_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class TraceSettings:
    """Where spans go, and of what."""

    url: str
    """MIZZEN_TRACES_URL: OTLP over HTTP, with its path."""
    headers: tuple[tuple[str, str], ...]
    """MIZZEN_TRACES_HEADERS_FILE: one `name: value` a line."""
    share: float
    """MIZZEN_TRACES_SHARE: of the requests whose callers have not decided, those that are recorded; from 0 to 1."""
    prompts: bool
    """MIZZEN_TRACES_PROMPTS: spans have what was asked."""
    ca: Path | None = None
    """MIZZEN_TRACES_CA: PEM file with the authority of its certificate; None for those that the system trusts."""


class SettingsError(Exception):
    """A variable is missing or wrong; the message names it and the remedy."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Read once, at the start."""

    controlplane_url: str
    """MIZZEN_CONTROLPLANE_URL, without a slash at its end."""
    controlplane_ca: Path | None
    """MIZZEN_CONTROLPLANE_CA: PEM file with the authority of its certificate; None for those that the system trusts."""
    token_file: Path
    """MIZZEN_TOKEN_FILE: token for the control plane; read again when it changes."""
    operator_token_file: Path
    """MIZZEN_OPERATOR_TOKEN_FILE: token for the operator; by default the same."""
    pepper: bytes
    """Content of MIZZEN_PEPPER_FILE, as text in bytes."""
    data_dir: Path
    """MIZZEN_DATA_DIR: spool and cached feeds."""
    spool_dir: Path
    """Usage on its way to the ledger: `spool` in it, of a worker `worker-<n>/spool`."""
    workers: int
    """MIZZEN_WORKERS: processes on the port, under a supervisor; 0 for one process alone."""
    host: str
    """MIZZEN_HOST."""
    port: int
    """MIZZEN_PORT."""
    admin_port: int
    """MIZZEN_ADMIN_PORT: /healthz, /readyz, /metrics."""
    grpc_port: int | None
    """MIZZEN_GRPC_PORT: where /v2 is spoken over gRPC; None for nowhere."""
    operator_url: str
    """MIZZEN_OPERATOR_URL; empty where nobody wants the load."""
    operator_ca: Path | None
    """MIZZEN_OPERATOR_CA: PEM file with the authority of its certificate; None for those that the system trusts."""
    name: str
    """MIZZEN_GATEWAY_NAME: stable; holder of budget leases."""
    snapshot_max_age_seconds: float
    """MIZZEN_SNAPSHOT_MAX_AGE_SECONDS: how long serving survives without the control plane."""
    body_bytes: int
    """MIZZEN_MAX_BODY_BYTES."""
    receiving_bytes: int
    """MIZZEN_RECEIVING_BYTES: bodies and messages of gRPC that are not whole yet, all together."""
    first_byte_seconds: float
    """MIZZEN_FIRST_BYTE_TIMEOUT_SECONDS: how long an engine may think before its first byte."""
    header_seconds: float
    """MIZZEN_HEADER_TIMEOUT_SECONDS: from the first byte of a request to the end of its header."""
    body_seconds: float
    """MIZZEN_BODY_TIMEOUT_SECONDS: for a body, beside a second for each 64 KiB."""
    idle_seconds: float
    """MIZZEN_KEEP_ALIVE_SECONDS: how long a connection may stand between two requests."""
    write_stall_seconds: float
    """MIZZEN_WRITE_TIMEOUT_SECONDS: how long a caller may take no byte of its answer."""
    access_log_share: float
    """MIZZEN_ACCESS_LOG: `off`, `all`, or a share of the requests, from 0 to 1."""
    drain_seconds: float
    """MIZZEN_DRAIN_SECONDS: how long requests under way may take after SIGTERM."""
    spool_fsync_seconds: float
    """MIZZEN_SPOOL_FSYNC_SECONDS: how much a power cut may lose; 0 for never."""
    spool_max_bytes: int
    """MIZZEN_SPOOL_MAX_BYTES: from which on nothing new is admitted."""
    limits: StoreSettings
    """MIZZEN_LIMITS_STORE, with the password of MIZZEN_LIMITS_STORE_PASSWORD_FILE."""
    tls_dir: Path | None
    """MIZZEN_TLS_DIR: folder with tls.crt and tls.key; None for plain HTTP."""
    discovery: str
    """MIZZEN_DISCOVERY: where deployments and their endpoints are learnt, `controlplane` or `kubernetes`."""
    endpoint_picker_host: str
    """MIZZEN_ENDPOINT_PICKER_HOST: where a Service is found, with {service} and {namespace}."""
    engine_gauges_seconds: float
    """MIZZEN_ENGINE_GAUGES_SECONDS: between two looks at what other gateways ask of engines; 0 for never."""
    batch_lines: int
    """MIZZEN_BATCH_LINES: lines of batches that this process has under way; 0 for none."""
    batch_busy_from: int
    """MIZZEN_BATCH_BUSY_FROM: requests under way at a replica, from which on it gets no line of a batch."""
    forwarded_headers: tuple[str, ...]
    """MIZZEN_FORWARD_HEADERS: headers of callers that engines see; by default none."""
    overload: OverloadRules
    """MIZZEN_OVERLOAD, MIZZEN_REPLICA_REQUESTS, MIZZEN_QUEUE_SECONDS: what becomes of more than engines can answer."""
    trusted_proxies: tuple[Network, ...] = ()
    """MIZZEN_TRUSTED_PROXIES: networks of proxies whose X-Forwarded-For is believed; by default none."""
    media_hosts: Hosts = NO_HOSTS
    """MIZZEN_MEDIA_HOSTS: hosts that callers may have engines fetch from; by default none."""
    config_file: Path | None = None
    """gateway.yaml, of a gateway that runs alone: all else follows from it."""
    traces: TraceSettings | None = None
    """MIZZEN_TRACES_*; None where no collector is named."""


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Raises SettingsError."""
    return Settings(
        controlplane_url=_text(environment, "MIZZEN_CONTROLPLANE_URL").rstrip("/"),
        controlplane_ca=_path(environment, "MIZZEN_CONTROLPLANE_CA"),
        token_file=_secret_file(environment, "MIZZEN_TOKEN_FILE"),
        operator_token_file=_operator_token_file(environment),
        pepper=_secret(environment, "MIZZEN_PEPPER_FILE").encode(),
        data_dir=Path(_text(environment, "MIZZEN_DATA_DIR")),
        spool_dir=Path(_text(environment, "MIZZEN_DATA_DIR")) / "spool",
        workers=_workers(environment),
        host=environment.get("MIZZEN_HOST", "127.0.0.1"),
        port=_whole(environment, "MIZZEN_PORT", 8480),
        admin_port=_whole(environment, "MIZZEN_ADMIN_PORT", 8481),
        grpc_port=_whole(environment, "MIZZEN_GRPC_PORT", 0) if environment.get("MIZZEN_GRPC_PORT") else None,
        operator_url=environment.get("MIZZEN_OPERATOR_URL", "").rstrip("/"),
        operator_ca=_path(environment, "MIZZEN_OPERATOR_CA"),
        name=environment.get("MIZZEN_GATEWAY_NAME", "gateway"),
        snapshot_max_age_seconds=_seconds(environment, "MIZZEN_SNAPSHOT_MAX_AGE_SECONDS", 86_400),
        body_bytes=_whole(environment, "MIZZEN_MAX_BODY_BYTES", 64 * MIB),
        receiving_bytes=_whole(environment, "MIZZEN_RECEIVING_BYTES", 192 * MIB),
        first_byte_seconds=_seconds(environment, "MIZZEN_FIRST_BYTE_TIMEOUT_SECONDS", 600),
        header_seconds=_seconds(environment, "MIZZEN_HEADER_TIMEOUT_SECONDS", 10),
        body_seconds=_seconds(environment, "MIZZEN_BODY_TIMEOUT_SECONDS", 30),
        idle_seconds=_seconds(environment, "MIZZEN_KEEP_ALIVE_SECONDS", 75),
        write_stall_seconds=_seconds(environment, "MIZZEN_WRITE_TIMEOUT_SECONDS", 60),
        access_log_share=_share(environment, "MIZZEN_ACCESS_LOG"),
        drain_seconds=_seconds(environment, "MIZZEN_DRAIN_SECONDS", 25),
        spool_fsync_seconds=_seconds(environment, "MIZZEN_SPOOL_FSYNC_SECONDS", 0.1),
        spool_max_bytes=_whole(environment, "MIZZEN_SPOOL_MAX_BYTES", 2048 * MIB),
        limits=_limits(environment),
        traces=_traces(environment),
        tls_dir=_path(environment, "MIZZEN_TLS_DIR"),
        discovery=_one_of(environment, "MIZZEN_DISCOVERY", DISCOVERIES),
        endpoint_picker_host=environment.get("MIZZEN_ENDPOINT_PICKER_HOST") or "{service}.{namespace}.svc",
        engine_gauges_seconds=_seconds(
            environment, "MIZZEN_ENGINE_GAUGES_SECONDS", 5 if _has_company(environment) else 0
        ),
        batch_lines=_whole(environment, "MIZZEN_BATCH_LINES", 8),
        batch_busy_from=_whole(environment, "MIZZEN_BATCH_BUSY_FROM", 4),
        forwarded_headers=_forwarded_headers(environment),
        trusted_proxies=_trusted_proxies(environment),
        media_hosts=_media_hosts(environment),
        overload=OverloadRules(
            on=_one_of(environment, "MIZZEN_OVERLOAD", OVERLOAD) != "off",
            replica_requests=_whole(environment, "MIZZEN_REPLICA_REQUESTS", 0),
            queue_seconds=_seconds(environment, "MIZZEN_QUEUE_SECONDS", QUEUE_SECONDS),
        ),
    )


def _text(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise SettingsError(f"{name}: is not set; see docs/reference/between-programs.md for what it holds.")
    return value


def _workers(environment: Mapping[str, str]) -> int:
    workers = _whole(environment, "MIZZEN_WORKERS", 0)
    if workers > 1 and (environment.get("MIZZEN_LIMITS_STORE") or PROCESS) == PROCESS:
        raise SettingsError(
            f"MIZZEN_WORKERS: {workers} workers must share their limits, or each would admit all of them; set"
            " MIZZEN_LIMITS_STORE to a Redis, Valkey or PostgreSQL, or MIZZEN_WORKERS to 1."
        )
    return workers


def _has_company(environment: Mapping[str, str]) -> bool:
    """Others ask the same engines."""
    return environment.get("MIZZEN_DISCOVERY") == KUBERNETES or _whole(environment, "MIZZEN_WORKERS", 0) > 1


def _forwarded_headers(environment: Mapping[str, str]) -> tuple[str, ...]:
    written = environment.get("MIZZEN_FORWARD_HEADERS", "").lower().split(",")
    names = tuple(name.strip() for name in written if name.strip())
    for name in names:
        why = why_not_forwarded(name)
        if why is not None:
            raise SettingsError(f"MIZZEN_FORWARD_HEADERS: {name!r} {why}.")
    return names


def _trusted_proxies(environment: Mapping[str, str]) -> tuple[Network, ...]:
    written = environment.get("MIZZEN_TRUSTED_PROXIES", "")
    try:
        return networks_of(one for one in written.split(",") if one.strip())
    except ValueError as error:
        raise SettingsError(
            f"MIZZEN_TRUSTED_PROXIES: {error}; name networks as 10.0.0.0/8, 2001:db8::/32, with commas between."
        ) from error


def _path(environment: Mapping[str, str], name: str) -> Path | None:
    value = environment.get(name)
    return Path(value) if value else None


def _one_of(environment: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    value = environment.get(name) or allowed[0]
    if value not in allowed:
        raise SettingsError(f"{name}: {value!r} is not one of {', '.join(allowed)}.")
    return value


def _traces(environment: Mapping[str, str]) -> TraceSettings | None:
    url = environment.get("MIZZEN_TRACES_URL", "")
    if not url:
        return None
    fault = why_no_collector(url)
    if fault is not None:
        raise SettingsError(f"MIZZEN_TRACES_URL: {fault}.")
    prompts = _one_of(environment, "MIZZEN_TRACES_PROMPTS", ("off", "on"))
    return TraceSettings(
        url=url,
        headers=_header_lines(environment, "MIZZEN_TRACES_HEADERS_FILE"),
        share=_share(environment, "MIZZEN_TRACES_SHARE", str(DEFAULT_TRACES_SHARE)),
        prompts=prompts == "on",
        ca=_path(environment, "MIZZEN_TRACES_CA"),
    )


def why_no_collector(url: str) -> str | None:
    """What is wrong with an URL that spans should go to; None for nothing."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and len(parts.path) > 1
    except ValueError:
        usable = False
    if not usable or parts.username is not None or not url.isascii() or not url.isprintable():
        return (
            "is no URL of OTLP over HTTP; name the collector with its path and without a password, as in"
            " http://127.0.0.1:4318/v1/traces"
        )
    return None


def _header_lines(environment: Mapping[str, str], name: str) -> tuple[tuple[str, str], ...]:
    if not environment.get(name):
        return ()
    lines = [line.partition(":") for line in _secret(environment, name).splitlines() if line.strip()]
    if any(not header.strip() or not colon or not value.strip().isprintable() for header, colon, value in lines):
        raise SettingsError(f"{name}: {environment[name]} must hold one header a line, as `name: value`.")
    return tuple((header.strip().lower(), value.strip()) for header, _, value in lines)


def _secret(environment: Mapping[str, str], name: str) -> str:
    path = Path(_text(environment, name))
    try:
        value = path.read_text().strip()
    except OSError as error:
        raise SettingsError(
            f"{name}: cannot read {path} ({error.strerror}); it must be a file of this user."
        ) from error
    if not value:
        raise SettingsError(f"{name}: {path} is empty; it must hold the secret.")
    return value


def _limits(environment: Mapping[str, str]) -> StoreSettings:
    named = environment.get("MIZZEN_LIMITS_STORE_PASSWORD_FILE")
    settings = StoreSettings(
        address=environment.get("MIZZEN_LIMITS_STORE") or PROCESS,
        password=_secret(environment, "MIZZEN_LIMITS_STORE_PASSWORD_FILE") if named else "",
        hold_seconds=_seconds(environment, "MIZZEN_LIMITS_HOLD_SECONDS", HOLD_SECONDS),
    )
    fault = why_unusable(settings)
    if fault is not None:
        raise SettingsError(f"MIZZEN_LIMITS_STORE: {fault}.")
    return settings


def _secret_file(environment: Mapping[str, str], name: str) -> Path:
    _secret(environment, name)
    return Path(environment[name])


def _operator_token_file(environment: Mapping[str, str]) -> Path:
    given = environment.get("MIZZEN_OPERATOR_TOKEN_FILE")
    return _secret_file(environment, "MIZZEN_OPERATOR_TOKEN_FILE" if given else "MIZZEN_TOKEN_FILE")


def _whole(environment: Mapping[str, str], name: str, default: int) -> int:
    value = environment.get(name) or str(default)
    if not value.isascii() or not value.isdigit():
        raise SettingsError(f"{name}: {value!r} is not a whole number, 0 or more.")
    return int(value)


def _media_hosts(environment: Mapping[str, str]) -> Hosts:
    named = [one.strip() for one in environment.get("MIZZEN_MEDIA_HOSTS", "").split(",")]
    try:
        return hosts_of([one for one in named if one])
    except ValueError as error:
        raise SettingsError(f"MIZZEN_MEDIA_HOSTS: {error}.") from error


def _share(environment: Mapping[str, str], name: str, default: str = "off") -> float:
    value = environment.get(name) or default
    try:
        share = {"off": 0.0, "all": 1.0}.get(value)
        share = float(value) if share is None else share
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise SettingsError(f"{name}: {value!r} is not `off`, `all` or a share of the requests from 0 to 1.")
    return share


def _seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    value = environment.get(name) or str(default)
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise SettingsError(f"{name}: {value!r} is not a number of seconds, 0 or more.")
    return seconds
