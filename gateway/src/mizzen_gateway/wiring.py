"""Puts the parts of a gateway together, starts them and stops them: the only file that knows them all."""

import asyncio
import ssl
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import aiohttp
import structlog

from mizzen_gateway.accounting import Accounting, AccountingSettings
from mizzen_gateway.admin import AdminPages
from mizzen_gateway.discovery.known_objects import KnownObjects
from mizzen_gateway.discovery.objects import ObjectFeed
from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.metering.spool import SpoolSettings
from mizzen_gateway.pipeline import Pipeline, Stages
from mizzen_gateway.routing.load import LoadBook
from mizzen_gateway.routing.table import RouteTable
from mizzen_gateway.settings import KUBERNETES, Settings
from mizzen_gateway.wire.authority import Authority
from mizzen_gateway.wire.certificate import Certificate
from mizzen_gateway.wire.limits import WireLimits
from mizzen_gateway.wire.server import Server

ADMIN_BODY_BYTES = 4096
ADMIN_DRAIN_SECONDS = 0.5
CERTIFICATE_SECONDS = 10.0
"""Between two looks whether the certificate was renewed."""
log = structlog.get_logger(__name__)


class CannotStartError(Exception):
    """A port or the data folder cannot be had; the message names the variable and the remedy."""


class Gateway:
    """Every part of one gateway process."""

    def __init__(self, settings: Settings, session: aiohttp.ClientSession) -> None:
        """`session` carries the gateway's token. Raises CannotStartError where the data folder cannot be used."""
        self._settings = settings
        self.book = LoadBook()
        self._operator = authority_in(settings.operator_ca, "MIZZEN_OPERATOR_CA")
        trusted = True if self._operator is None else self._operator.context
        self.accounting = open_accounting(settings, session, self.book, trusted)
        self.pool = EnginePool()
        self.table = RouteTable(self.book, self.accounting.authenticator.namespace_of, self.pool.leave)
        self.objects = KnownObjects(self.table, settings.data_dir / "objects.json")
        self.objects.load_cache()
        self._object_feed = object_feed(settings, session, self.objects)
        self.server = Server(self._pipeline(), WireLimits(body_bytes=settings.body_bytes))
        pages = AdminPages(self.why_not_ready, self.accounting.metrics)
        self.admin = Server(pages, WireLimits(body_bytes=ADMIN_BODY_BYTES))
        self.port = self.admin_port = 0
        self._background: list[asyncio.Task[None]] = []

    def _pipeline(self) -> Pipeline:
        parts = self.accounting
        return Pipeline(
            Stages(parts.authenticator, parts.authenticator, parts.quota, parts.meter, parts.observer),
            self.table,
            self.pool,
            salt_secret=self._settings.pepper,
            body_limit=self._settings.body_bytes,
            first_byte_seconds=self._settings.first_byte_seconds,
            forwarded_headers=self._settings.forwarded_headers,
        )

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

    async def start(self) -> None:
        """Listen on both ports, follow the feeds. Raises CannotStartError."""
        settings = self._settings
        certificate = certificate_in(settings.tls_dir)
        tls = None if certificate is None else certificate.context
        self.port = await listen(self.server, settings.host, settings.port, "MIZZEN_PORT", tls)
        self.admin_port = await listen(self.admin, settings.host, settings.admin_port, "MIZZEN_ADMIN_PORT")
        self.accounting.start()
        self._background.append(asyncio.create_task(self._object_feed.run(), name="object feed"))
        for files in (certificate, self._operator):
            if files is not None:
                self._background.append(asyncio.create_task(keep_renewed(files), name="certificates"))
        log.info("gateway listens", host=settings.host, port=self.port, admin_port=self.admin_port)

    async def stop(self) -> None:
        """Let requests end, ship usage, close."""
        began = time.monotonic()
        await self.server.drain(self._settings.drain_seconds)
        for task in self._background:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self.accounting.close()
        await self.admin.drain(ADMIN_DRAIN_SECONDS)
        self.pool.close()
        log.info("gateway stopped", seconds=round(time.monotonic() - began, 2))


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


def accounting_settings(settings: Settings) -> AccountingSettings:
    """The part of the settings that accounting reads."""
    return AccountingSettings(
        controlplane_url=settings.controlplane_url,
        operator_url=settings.operator_url,
        gateway=settings.name,
        data_dir=settings.data_dir,
        pepper=settings.pepper,
        snapshot_max_age_seconds=settings.snapshot_max_age_seconds,
        spool=SpoolSettings(fsync_seconds=settings.spool_fsync_seconds, max_bytes=settings.spool_max_bytes),
    )


def open_accounting(
    settings: Settings, session: aiohttp.ClientSession, book: LoadBook, operator_trust: ssl.SSLContext | bool
) -> Accounting:
    """Make the data folder, for the owner alone, and open what is in it."""
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Accounting(accounting_settings(settings), session, book, operator_trust)
    except OSError as error:
        raise CannotStartError(
            f"MIZZEN_DATA_DIR: cannot write {error.filename or folder} ({error.strerror or error});"
            " give this user the folder and space in it, or set another one."
        ) from error


def certificate_in(folder: Path | None) -> Certificate | None:
    """The certificate of MIZZEN_TLS_DIR; None for plain HTTP. Raises CannotStartError."""
    if folder is None:
        return None
    try:
        return Certificate(folder)
    except (OSError, ssl.SSLError) as error:
        raise CannotStartError(
            f"MIZZEN_TLS_DIR: {folder} has no usable pair of tls.crt and tls.key ({error});"
            " put both there as PEM, or unset it to speak plain HTTP."
        ) from error


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


async def keep_renewed(files: Certificate | Authority) -> None:
    """Take up the successor of a certificate, until cancelled."""
    while True:
        await asyncio.sleep(CERTIFICATE_SECONDS)
        files.renew()


async def listen(server: Server, host: str, port: int, variable: str, tls: ssl.SSLContext | None = None) -> int:
    """Listen; a port in use is a sentence, not a traceback."""
    try:
        return await server.listen(host, port, tls)
    except OSError as error:
        raise CannotStartError(
            f"{variable}: cannot listen on {host}:{port} ({error.strerror or error});"
            f" stop the program that uses it, or set {variable} to a free port."
        ) from error
