"""Puts the parts of a gateway together, starts them and stops them: the only file that knows them all."""

import asyncio
import resource
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import aiohttp
import structlog
from mizzen_kube.tls_secret import Certificate, unusable

from mizzen_gateway.accounting import Accounting, AccountingSettings
from mizzen_gateway.admin import AdminPages
from mizzen_gateway.auth.client_address import Origins
from mizzen_gateway.batches.desk import Desk
from mizzen_gateway.batches.room import Room
from mizzen_gateway.batches.runner import BatchRunner
from mizzen_gateway.batches.work import BatchPlane
from mizzen_gateway.discovery.known_objects import KnownObjects
from mizzen_gateway.discovery.objects import ObjectFeed
from mizzen_gateway.ended_task import ended
from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.errors import CannotStartError
from mizzen_gateway.load.gauges import EngineGauges
from mizzen_gateway.metering.spool import SpoolSettings
from mizzen_gateway.pipeline import Pipeline, Stages
from mizzen_gateway.routing.load import LoadBook
from mizzen_gateway.routing.table import RouteTable
from mizzen_gateway.settings import KUBERNETES, Settings, TraceSettings
from mizzen_gateway.telemetry.exposition import exposition
from mizzen_gateway.telemetry.overload_metrics import OverloadCollector
from mizzen_gateway.telemetry.routing_metrics import RoutingCollector
from mizzen_gateway.telemetry.serving_metrics import ServingCollector
from mizzen_gateway.telemetry.spans_metrics import SpansCollector
from mizzen_gateway.tracing.tracer import Tracer
from mizzen_gateway.wire.authority import Authority
from mizzen_gateway.wire.inheritance import Inheritance
from mizzen_gateway.wire.limits import ADMIN_LIMITS, CONTROL_LIMITS, WireLimits
from mizzen_gateway.wire.listening import listen, listen_on, serve_on
from mizzen_gateway.wire.server import Server

ADMIN_DRAIN_SECONDS = 0.5
READY_POLL_SECONDS = 0.02
OPEN_FILES = 1 << 20
CALLERS_SHARE = 0.6
"""Of the open files: a request under way has one to its caller and one to its engine."""
GRPC_SHARE = 0.15
"""Of them, taken from the callers' share where gRPC is spoken: its library accepts by itself."""
if TYPE_CHECKING:
    from mizzen_gateway.picking.client import EndpointPickers
    from mizzen_gateway.protocols.open_inference.grpc.server import GrpcServer
    from mizzen_gateway.standalone.desk import NothingKept
    from mizzen_gateway.standalone.following import FileFeed
    from mizzen_gateway.standalone.ledger import LocalLedger
    from mizzen_gateway.tracing.exporter import Exporter

CERTIFICATE_SECONDS = 10.0
"""Between two looks whether the certificate was renewed."""
log = structlog.get_logger(__name__)


class Gateway:
    """Every part of one gateway process."""

    def __init__(self, settings: Settings, session: aiohttp.ClientSession) -> None:
        """`session` carries the gateway's token. Raises CannotStartError where the data folder cannot be used."""
        self._settings = settings
        self.book = LoadBook()
        self._operator = authority_in(settings.operator_ca, "MIZZEN_OPERATOR_CA")
        trusted = trusted_by(self._operator)
        self._own_ledger = own_ledger(settings)
        self.accounting = open_accounting(settings, session, self.book, trusted, self._own_ledger)
        self.pool = EnginePool()
        namespace_of = self.accounting.authenticator.namespace_of
        self.table = RouteTable(self.book, namespace_of, self.pool.leave, overload=settings.overload)
        self.objects = KnownObjects(self.table, settings.data_dir / "objects.json")
        if self._own_ledger is None:
            self.objects.load_cache()
            self._object_feed = object_feed(settings, session, self.objects)
        else:
            self._object_feed = self._file_feed(self._own_ledger)
        self._pickers: EndpointPickers | None = None
        self._desk = desk(settings, session)
        traces = settings.traces
        self._collector = None if traces is None else authority_in(traces.ca, "MIZZEN_TRACES_CA")
        self._spans = None if traces is None else span_exporter(traces, settings.name, trusted_by(self._collector))
        self._tracer = self._tracer_of(settings)
        self._handler = self._pipeline()
        self.server = Server(self._handler, wire_limits(settings))
        self.mirrors = self._handler.mirrors
        self.batches = BatchRunner(
            BatchPlane(session, settings.controlplane_url, settings.name),
            self._handler,
            Room(self.table, settings.batch_busy_from),
            self.accounting.authenticator.caller_with,
            settings.batch_lines,
            self._tracer,
        )
        pages = AdminPages(self.why_not_ready, self._metrics())
        self.admin = Server(pages, ADMIN_LIMITS)
        self._control = Server(pages, CONTROL_LIMITS)
        self.port = self.admin_port = self.grpc_port = 0
        self._grpc: GrpcServer | None = None
        self._background: list[asyncio.Task[None]] = []

    def _file_feed(self, ledger: "LocalLedger") -> "FileFeed":
        from mizzen_gateway.standalone.following import FileFeed  # here: an installation has no such file

        return FileFeed(self._settings, self.accounting.state, self.objects, self.pool, ledger)

    def read_again(self) -> "asyncio.Task[None] | None":
        """SIGHUP: take the file of a gateway that runs alone up at once; elsewhere feeds tell what changes."""
        read_again = getattr(self._object_feed, "read_again", None)
        if read_again is None:
            return None
        self._background = [task for task in self._background if not task.done()]
        self._background.append(asyncio.create_task(read_again(), name="file read again"))
        return self._background[-1]

    def _metrics(self) -> Callable[[], bytes]:
        clock = asyncio.get_running_loop().time
        serving = ServingCollector(self.book.places, self.server, self.accounting.lines, clock)
        routing = RoutingCollector(
            self.book.revisions,
            self.mirrors,
            self._handler.hedges,
            self._handler.cache,
            lambda: 0 if self._pickers is None else self._pickers.failures,
        )
        overload = OverloadCollector(self.book.gates, self.book.shed)
        more = () if self._spans is None else (SpansCollector(self._spans),)
        return exposition(self.accounting.sources, serving, routing, overload, *more)

    def _pipeline(self) -> Pipeline:
        parts = self.accounting
        return Pipeline(
            Stages(parts.authenticator, parts.authenticator, parts.quota, parts.meter, parts.observer),
            self.table,
            self.pool,
            salt_secret=self._settings.pepper,
            body_limit=self._settings.body_bytes,
            first_byte_seconds=self._settings.first_byte_seconds,
            pickers=self._endpoint_pickers,
            desk=self._desk,
            forwarded_headers=self._settings.forwarded_headers,
            media_hosts=self._settings.media_hosts,
            tracer=self._tracer,
            lines=parts.lines,
            origins=Origins(self._settings.trusted_proxies),
        )

    def _tracer_of(self, settings: Settings) -> Tracer | None:
        traces, spans = settings.traces, self._spans
        if traces is None or spans is None:
            return None
        scheme = "http" if settings.tls_dir is None else "https"
        return Tracer(traces.share, spans, traces.prompts, scheme)

    def _endpoint_pickers(self) -> "EndpointPickers":
        if self._pickers is None:
            from mizzen_gateway.picking.client import EndpointPickers  # here: gRPC takes 15 MB

            self._pickers = EndpointPickers(self._settings.endpoint_picker_host)
        return self._pickers

    def why_not_ready(self) -> str | None:
        """None when callers may be sent here."""
        if self.server.draining:
            return "stopping: requests under way end, new ones go elsewhere"
        if not self.accounting.authenticator.ready:
            return "no access snapshot that is new enough; see that the control plane runs and can be reached"
        if not self.objects.listed:
            source = "API server" if self._settings.discovery == KUBERNETES else "control plane"
            return f"deployments not listed yet; see that the {source} runs and can be reached"
        return None

    async def start(self, inherited: Inheritance | None = None) -> None:
        """Listen on both ports, or on what a supervisor passed on, and follow the feeds. Raises CannotStartError."""
        settings = self._settings
        await self.accounting.open_store()
        certificate = certificate_in(settings.tls_dir)
        tls = None if certificate is None else certificate.context
        if inherited is None:
            self.port = await listen(self.server, settings.host, settings.port, "MIZZEN_PORT", tls)
            self.admin_port = await listen(self.admin, settings.host, settings.admin_port, "MIZZEN_ADMIN_PORT")
            await self._listen_for_grpc(certificate, shared=False)
        self.accounting.start()
        if self._spans is not None:
            self._spans.start()
        self._background.append(asyncio.create_task(self._object_feed.run(), name="object feed"))
        for files in (certificate, self._operator, self._collector):
            if files is not None:
                self._background.append(asyncio.create_task(keep_renewed(files), name="certificates"))
        if settings.engine_gauges_seconds:
            gauges = EngineGauges(self.table, self.pool, settings.engine_gauges_seconds)
            self._background.append(asyncio.create_task(gauges.run(), name="engine gauges"))
        if inherited is not None:
            await serve_on(self._control, inherited.control)
            while inherited.waits and self.why_not_ready() is not None:  # noqa: ASYNC110 - feeds, clock and drain decide
                await asyncio.sleep(READY_POLL_SECONDS)
            self.port = await listen_on(self.server, inherited.listener, tls)
            await self._listen_for_grpc(certificate, shared=True)
        self.batches.start()
        log.info("gateway listens", host=settings.host, port=self.port, admin_port=self.admin_port)

    async def _listen_for_grpc(self, certificate: Certificate | None, *, shared: bool) -> None:
        settings = self._settings
        if settings.grpc_port is None:
            return
        from mizzen_gateway.protocols.open_inference.grpc.server import GrpcServer  # here: it takes 15 MB

        limits = replace(wire_limits(settings), connections=open_files_of(GRPC_SHARE))
        self._grpc = GrpcServer(self._handler, limits, self.server.receiving, shared=shared)
        try:
            self.grpc_port = await self._grpc.listen(settings.host, settings.grpc_port, certificate)
        except OSError as error:
            raise CannotStartError(
                f"MIZZEN_GRPC_PORT: cannot listen on {settings.host}:{settings.grpc_port} ({error});"
                " stop the program that uses it, or set MIZZEN_GRPC_PORT to a free port."
            ) from error

    async def stop(self) -> None:
        """Let requests end, ship usage, close."""
        began = time.monotonic()
        seconds = self._settings.drain_seconds
        grpc = () if self._grpc is None else (self._grpc.drain(seconds),)
        await asyncio.gather(self.server.drain(seconds), self.batches.stop(seconds), *grpc)
        await self._handler.settled()
        await self.mirrors.close()
        if self._pickers is not None:
            await self._pickers.close()
        for task in self._background:
            await ended(task)
        await self.accounting.close()
        if self._spans is not None:
            await self._spans.close()
        await self.admin.drain(ADMIN_DRAIN_SECONDS)
        await self.pool.hang_up()
        self.pool.close()
        if self._own_ledger is not None:
            self._own_ledger.close()
        log.info("gateway stopped", seconds=round(time.monotonic() - began, 2))


def desk(settings: Settings, session: aiohttp.ClientSession) -> "Desk | NothingKept":
    """Who answers for what the control plane keeps."""
    if settings.config_file is None:
        return Desk(session, settings.controlplane_url)
    from mizzen_gateway.standalone.desk import NothingKept  # here: an installation keeps them

    return NothingKept()


class Feed(Protocol):
    """What keeps the known objects current."""

    async def run(self) -> None:
        """Follow the source until cancelled."""
        ...


def object_feed(settings: Settings, session: aiohttp.ClientSession, known: KnownObjects) -> Feed:
    """The feed of MIZZEN_DISCOVERY."""
    if settings.discovery != KUBERNETES:
        return ObjectFeed(session, settings.controlplane_url, known)
    from mizzen_gateway.discovery.kubernetes import KubernetesFeed  # here: one machine has no API server

    return KubernetesFeed(known)


def span_exporter(traces: TraceSettings, gateway: str, trusted: ssl.SSLContext | bool) -> "Exporter":
    """What sends spans, in the name of a gateway."""
    from mizzen_gateway.tracing.exporter import Destination, Exporter  # here: OTLP's messages take 7 MB

    release = version("mizzen-gateway")
    resource = {"service.name": "mizzen-gateway", "service.version": release, "service.instance.id": gateway}
    return Exporter(Destination(traces.url, dict(traces.headers), trusted), resource, release)


def wire_limits(settings: Settings) -> WireLimits:
    """The part of the settings that the callers' port reads."""
    return WireLimits(
        body_bytes=settings.body_bytes,
        header_seconds=settings.header_seconds,
        body_seconds=settings.body_seconds,
        receiving_bytes=settings.receiving_bytes,
        idle_seconds=settings.idle_seconds,
        write_stall_seconds=settings.write_stall_seconds,
        connections=open_files_of(CALLERS_SHARE if settings.grpc_port is None else CALLERS_SHARE - GRPC_SHARE),
    )


def open_files_of(share: float) -> int:
    """Connections that leave the rest of the open files that the system allows for others, engines and the spool."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return int(allowed * share)


def allow_open_files() -> None:
    """As many as the system lets this process have: a connection is one of them."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if most == resource.RLIM_INFINITY else most
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def accounting_settings(settings: Settings) -> AccountingSettings:
    """The part of the settings that accounting reads."""
    return AccountingSettings(
        controlplane_url=settings.controlplane_url,
        operator_url=settings.operator_url,
        gateway=settings.name,
        data_dir=settings.data_dir,
        spool_dir=settings.spool_dir,
        access_log_share=settings.access_log_share,
        pepper=settings.pepper,
        snapshot_max_age_seconds=settings.snapshot_max_age_seconds,
        spool=SpoolSettings(fsync_seconds=settings.spool_fsync_seconds, max_bytes=settings.spool_max_bytes),
        limits=settings.limits,
    )


def own_ledger(settings: Settings) -> "LocalLedger | None":
    """Where the usage of a gateway that runs alone goes; None where a control plane has the ledger."""
    if settings.config_file is None:
        return None
    from mizzen_gateway.standalone.ledger import LocalLedger  # here: an installation has none

    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        return LocalLedger(settings.data_dir)
    except OSError as error:
        raise unwritable(settings, error) from error


def open_accounting(
    settings: Settings,
    session: aiohttp.ClientSession,
    book: LoadBook,
    operator_trust: ssl.SSLContext | bool,
    ledger: "LocalLedger | None",
) -> Accounting:
    """Make the data folder, for the owner alone, and open what is in it."""
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings.spool_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Accounting(accounting_settings(settings), session, book, operator_trust, ledger)
    except OSError as error:
        raise unwritable(settings, error) from error


def unwritable(settings: Settings, error: OSError) -> CannotStartError:
    """The data folder cannot be used."""
    if isinstance(error, BlockingIOError):  # no right and no space is missing: it says what helps
        return CannotStartError(f"MIZZEN_DATA_DIR: {error}.")
    return CannotStartError(
        f"MIZZEN_DATA_DIR: cannot write {error.filename or settings.data_dir} ({error.strerror or error});"
        " give this user the folder and space in it, or set another one."
    )


def certificate_in(folder: Path | None) -> Certificate | None:
    """The certificate of MIZZEN_TLS_DIR; None for plain HTTP. Raises CannotStartError."""
    if folder is None:
        return None
    try:
        return Certificate(folder)
    except (OSError, ssl.SSLError) as error:
        raise CannotStartError(unusable(folder, error)) from error


def authority_in(file: Path | None, variable: str = "MIZZEN_CONTROLPLANE_CA") -> Authority | None:
    """The authority of a variable's file; None for those that the system trusts. Raises CannotStartError."""
    if file is None:
        return None
    try:
        return Authority(file)
    except (OSError, ssl.SSLError) as error:
        raise CannotStartError(
            f"{variable}: {file} holds no certificate ({error}); put the authority there as PEM, or unset the variable"
            " where the system trusts that authority."
        ) from error


def trusted_by(authority: Authority | None) -> ssl.SSLContext | bool:
    """Whom connections trust, as aiohttp takes it."""
    return True if authority is None else authority.context


async def keep_renewed(files: Certificate | Authority) -> None:
    """Take up the successor of a certificate, until cancelled."""
    while True:
        await asyncio.sleep(CERTIFICATE_SECONDS)
        files.renew()
