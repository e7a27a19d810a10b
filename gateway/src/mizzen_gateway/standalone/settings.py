"""Which settings follow from gateway.yaml? Those that a gateway of an installation has from its environment."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from mizzen_gateway.limits.choice import PROCESS, StoreSettings
from mizzen_gateway.overload.rules import OverloadRules
from mizzen_gateway.settings import Settings, TraceSettings, read_settings
from mizzen_gateway.standalone.access import pepper_of
from mizzen_gateway.standalone.config import GatewayFile
from mizzen_gateway.standalone.missing import missing
from mizzen_gateway.standalone.reading import read_file, refused

GAUGES_SECONDS: Final = 5.0
DEFAULTS: Final = {"MIZZEN_CONTROLPLANE_URL": "none", "MIZZEN_DATA_DIR": "none", "MIZZEN_BATCH_LINES": "0"}
"""Without a control plane there are no batches to run."""
FIELDS: Final = {
    "MIZZEN_ADMIN_PORT": "listen.admin_port",
    "MIZZEN_GRPC_PORT": "listen.grpc_port",
    "MIZZEN_PORT": "listen.port",
    "MIZZEN_TLS_DIR": "listen.tls_dir",
    "MIZZEN_DATA_DIR": "data_dir",
    "MIZZEN_LIMITS_STORE": "limits_store.url",
    "MIZZEN_SPOOL_MAX_BYTES": "metering.spool_max_bytes",
    "MIZZEN_TRACES_CA": "traces.ca",
}
"""Variables that messages name -> what stands for them in the file."""
SPOOL: Final = "spool"
SAID_BY: Final = {
    "pepper": "pepper",
    "data_dir": "data_dir",
    "spool_dir": "data_dir",
    "workers": "listen.workers",
    "host": "listen.host",
    "port": "listen.port",
    "admin_port": "listen.admin_port",
    "grpc_port": "listen.grpc_port",
    "tls_dir": "listen.tls_dir",
    "name": "name",
    "body_bytes": "max_body_bytes",
    "receiving_bytes": "receiving_bytes",
    "first_byte_seconds": "timeouts.first_byte",
    "header_seconds": "timeouts.header",
    "body_seconds": "timeouts.body",
    "idle_seconds": "timeouts.keep_alive",
    "write_stall_seconds": "timeouts.write",
    "drain_seconds": "timeouts.drain",
    "access_log_share": "access_log",
    "spool_fsync_seconds": "metering.fsync_seconds",
    "spool_max_bytes": "metering.spool_max_bytes",
    "limits": "limits_store",
    "engine_gauges_seconds": "limits_store",
    "forwarded_headers": "forward_headers",
    "media_hosts": "media_hosts",
    "overload": "overload",
    "traces": "traces",
}
"""Settings that the file says -> the field that does."""


def settings_of(path: Path) -> Settings:
    """The settings of a file. Raises FileRefusedError, also for secrets that are not where it says."""
    file = read_file(path)
    absent = list(missing(file, path.absolute().parent))
    if absent:
        raise refused(absent, path)
    return settings_from(file, path.absolute())


def settings_from(file: GatewayFile, path: Path) -> Settings:
    """The same of a file that was read."""
    folder = path.parent
    listen, timeouts, metering = file.listen, file.timeouts, file.metering
    data_dir = folder / file.data_dir
    share = {"off": 0.0, "all": 1.0}.get(str(file.access_log))
    nowhere = Path("/dev/null")
    return replace(
        # What a file does not say is as by default; secrets of programs, which it has none of, are replaced below.
        read_settings({**DEFAULTS, "MIZZEN_TOKEN_FILE": str(path), "MIZZEN_PEPPER_FILE": str(path)}),
        controlplane_url="",
        token_file=nowhere,
        operator_token_file=nowhere,
        pepper=pepper_of(file, folder),
        data_dir=data_dir,
        spool_dir=data_dir / SPOOL,
        workers=listen.workers,
        host=listen.host,
        port=listen.port,
        admin_port=listen.admin_port,
        grpc_port=listen.grpc_port,
        name=file.name,
        snapshot_max_age_seconds=float("inf"),
        body_bytes=file.max_body_bytes,
        receiving_bytes=file.receiving_bytes,
        first_byte_seconds=timeouts.first_byte,
        header_seconds=timeouts.header,
        body_seconds=timeouts.body,
        idle_seconds=timeouts.keep_alive,
        write_stall_seconds=timeouts.write,
        access_log_share=float(file.access_log) if share is None else share,
        drain_seconds=timeouts.drain,
        spool_fsync_seconds=metering.fsync_seconds,
        spool_max_bytes=metering.spool_max_bytes,
        limits=store_settings(file, folder),
        tls_dir=None if listen.tls_dir is None else folder / listen.tls_dir,
        engine_gauges_seconds=0.0 if file.limits_store.url == PROCESS else GAUGES_SECONDS,
        forwarded_headers=tuple(file.forward_headers),
        media_hosts=frozenset(file.media_hosts),
        overload=OverloadRules(
            on=file.overload.admission != "off",
            replica_requests=file.overload.replica_requests,
            queue_seconds=file.overload.queue_seconds,
        ),
        traces=trace_settings(file, folder),
        config_file=path,
    )


def store_settings(file: GatewayFile, folder: Path) -> StoreSettings:
    """Where limits are counted."""
    store = file.limits_store
    password = "" if store.password is None else store.password.read(folder, "limits_store.password")
    return StoreSettings(address=store.url, password=password, hold_seconds=store.hold_seconds)


def trace_settings(file: GatewayFile, folder: Path) -> TraceSettings | None:
    """Where spans go."""
    traces = file.traces
    if traces is None:
        return None
    headers = tuple((one.name, one.value.read(folder, f"traces.headers {one.name}")) for one in traces.headers)
    ca = None if traces.ca is None else folder / traces.ca
    return TraceSettings(url=traces.url, headers=headers, share=traces.share, prompts=traces.prompts, ca=ca)


def in_words_of_the_file(message: str) -> str:
    """A message about a setting, for people who never set a variable."""
    for variable, field in FIELDS.items():
        message = message.replace(variable, field)
    return message
