"""The operator's parts put together: watches and timers wake keys, workers run passes while the lease is held."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web
from mizzen_crds.serving import GatewayLoad, StartupProgress
from mizzen_kube import resources
from mizzen_kube.api import Api, open_api
from mizzen_kube.connection import Connection
from mizzen_kube.errors import ApiError, ConflictError, FencedError, NotFoundError
from mizzen_kube.kept import Change, Key
from mizzen_kube.lease import Lease, Term
from mizzen_kube.reflector import Reflector
from mizzen_kube.resources import Resource
from mizzen_kube.tls_secret import Certificate, unusable

from mizzen_operator.handlers.watching import Watching
from mizzen_operator.ledgers.load_ledger import LoadLedger
from mizzen_operator.ledgers.startup_ledger import StartupLedger
from mizzen_operator.reconcile.apply import Applier
from mizzen_operator.reconcile.caches import Caches
from mizzen_operator.reconcile.controlplane import ControlPlane
from mizzen_operator.reconcile.keyed_queue import KeyedQueue
from mizzen_operator.reconcile.kinds.limits_answer import LimitsAnswer
from mizzen_operator.reconcile.kinds.pictures import Pictures
from mizzen_operator.reconcile.kinds.project_pass import ProjectHands
from mizzen_operator.reconcile.kinds.run import KindPasses
from mizzen_operator.reconcile.kinds.statuses import KindStatuses
from mizzen_operator.reconcile.registry import Registry
from mizzen_operator.reconcile.resync import Resync
from mizzen_operator.reconcile.run import Hands, run_pass
from mizzen_operator.reconcile.status_write import StatusWriter
from mizzen_operator.reconcile.stuck import stuck
from mizzen_operator.reconcile.telemetry import Telemetry
from mizzen_operator.serve.administration import add_administration
from mizzen_operator.serve.endpoint import Reports, report_app
from mizzen_operator.serve.identities import Identities
from mizzen_operator.settings import SettingError, Settings

ABSENT_RETRY_SECONDS = 2.0
ANSWERS_WITHIN = 3
"""Comparisons: one that failed, and the time that two take, are no sign of a server that is away."""
Manifest = dict[str, Any]
log = structlog.get_logger()


class Operator:
    """One replica of the operator."""

    def __init__(self, settings: Settings, connection: Connection, api: Api, telemetry: Telemetry) -> None:
        """Raises SettingError for a certificate that cannot be used."""
        self._settings = settings
        self._certificate = certificate_in(settings.tls_dir)
        self._telemetry = telemetry
        # Keys of ModelDeployments have two parts, those of other kinds a third one, the kind.
        self._queue: KeyedQueue[Any] = KeyedQueue()
        self._startups = StartupLedger()
        self._loads = LoadLedger()
        term = Term(settings.lease_seconds, settings.lease_renew_seconds, settings.lease_margin_seconds)
        self._lease = Lease(api, settings.namespace, settings.lease_name, settings.identity, term=term)
        self._api = api.fenced(self._lease.fence, telemetry.wrote)
        self._identities = Identities(api)
        self._caches = Caches(api, self._queue.add, self._pod_gone)
        self._caches.primaries.news = self._deployment_news
        self._pictures = Pictures(api, self._caches, self._queue.add)
        self._plane = ControlPlane(
            settings.controlplane_url, settings.controlplane_token_file, settings.controlplane_ca
        )
        self._registry = Registry(self._plane)
        self._watching = Watching(connection, self)
        self._resync = Resync(settings, self._api, self._caches, self._queue, self._watching.begin_again)
        self._loaded = False
        self._led_since = float("inf")
        statuses = StatusWriter(self._api, self._caches.primaries, settings.plan.url, settings.identity)
        applier = Applier(self._api, self._caches)
        hands = ProjectHands(
            api=self._api,
            caches=self._caches,
            pictures=self._pictures,
            applier=applier,
            statuses=KindStatuses(self._api, self._pictures, settings.identity),
            limits=LimitsAnswer(self._plane),
            reserved=frozenset({settings.namespace}),
        )
        self._kinds = KindPasses(hands, settings.plan.url)
        self._hands = Hands(
            api=self._api,
            caches=self._caches,
            registry=self._registry,
            applier=applier,
            statuses=statuses,
            startups=self._startups,
            loads=self._loads,
            telemetry=telemetry,
            environment=settings.plan,
        )
        telemetry.watch(self._queue, self._restarts, self._facts)

    async def run(self) -> None:
        """Until cancelled; gives the lease back at its end."""
        settings = self._settings
        reports = Reports(
            self._identities,
            self._lease.held,
            self._load,
            self._progress,
            settings.gateway_subject,
        )
        app = report_app(reports)
        add_administration(app, self._telemetry.registry, self._ill, self._unready)
        try:
            async with (
                serving(app, settings.host, settings.port, self._certificate),
                asyncio.TaskGroup() as group,
            ):
                group.create_task(self._begin_to_lead())  # before workers wait: it is woken before them
                group.create_task(self._lease.run())
                for reflector in self._reflectors.values():
                    group.create_task(reflector.run())
                await self._load_what_people_wrote()
                group.create_task(self._watching.run())
                group.create_task(self._resync.run())
                group.create_task(self._kinds.look_at_all(settings.resync_seconds, self._queue.add_soon))
                group.create_task(self._registry.follow_aliases(self._queue.add))
                for _ in range(settings.workers):
                    group.create_task(self._work())
        finally:
            with contextlib.suppress(ApiError):
                await self._lease.release()
            await self._plane.close()

    async def _begin_to_lead(self) -> None:
        """Each time that this replica takes the lease: pods and gateways begin to report to it only then."""
        while True:
            await self._lease.wait_held()
            self._led_since = asyncio.get_running_loop().time()
            self._startups.begin(datetime.now(UTC))
            self._hands.advances.begin()
            self._loads.begin()
            await self._lease.wait_lost()

    # What kopf tells

    def deployment(self, manifest: Manifest, gone: bool) -> None:
        """A ModelDeployment came, changed or went."""
        self._caches.primaries.hear(manifest, gone=gone)

    def _deployment_news(self, change: Change) -> None:
        self._queue.add(change.key)
        for rival in self._caches.primaries.sharing(change.manifest) if change.manifest else ():
            self._queue.add(rival)

    def runtime(self, manifest: Manifest, gone: bool) -> None:
        """A ServingRuntime came, changed or went."""
        self._caches.runtime_changed(manifest, gone)

    # What pods and gateways tell

    def _load(self, load: GatewayLoad) -> None:
        for key in self._loads.record(load, exists=self._caches.primaries.__contains__):
            self._queue.add(key)

    def _progress(self, namespace: str, progress: StartupProgress) -> None:
        self._startups.record(progress, f"{namespace}/{progress.pod}")

    def _pod_gone(self, key: Key) -> None:
        self._startups.forget("/".join(key))

    # Work

    async def _load_what_people_wrote(self) -> None:
        """Before the first pass all is known: a name that an older deployment has is not given to a younger one."""
        await self._list(resources.SERVING_RUNTIMES, lambda one: self._caches.runtime_changed(one, gone=False))
        await self._list(resources.MODEL_DEPLOYMENTS, self._caches.primaries.put)
        for reflector in self._reflectors.values():
            await reflector.synced.wait()
        self._loaded = True
        self._caches.wake_all()
        self._pictures.wake_all()
        log.info("everything is known", deployments=len(self._caches.primaries))

    async def _list(self, resource: Resource, take: Callable[[Manifest], object]) -> None:
        """Hand over all objects of a kind, however long the server takes. A kind that it does not know has none.

        Page by page: 5,000 deployments as dicts are 150 MB, most of which would stay with the process.
        """
        while True:
            try:
                async with contextlib.aclosing(self._api.pages(resource)) as pages:
                    async for page in pages:
                        for manifest in page.items:
                            take(manifest)
                        page.items.clear()  # or two pages were in memory while the next one comes
            except NotFoundError:
                log.warning("kind not installed", kind=str(resource))
                if resource is not resources.MODEL_DEPLOYMENTS:
                    return
            except ApiError as error:
                log.warning("not listed yet", kind=str(resource), error=error.message)
            else:
                return
            await asyncio.sleep(ABSENT_RETRY_SECONDS)

    async def _work(self) -> None:
        while True:
            await self._lease.wait_held()
            key = await self._queue.take()
            with structlog.contextvars.bound_contextvars(
                namespace=key[0], name=key[1], kind=key[2] if len(key) == 3 else "ModelDeployment"
            ):
                await self._look_at(key)

    async def _look_at(self, key: Any) -> None:
        queue, loop = self._queue, asyncio.get_running_loop()
        began, outcome = loop.time(), "ok"
        try:
            again = await (self._kinds.run_pass(key) if len(key) == 3 else run_pass(key, self._hands))
        except ApiError as error:
            outcome = error.word
            pause = queue.failed(key, error.retry_after or 0.0)
            quiet = isinstance(error, ConflictError | FencedError)
            (log.info if quiet else log.warning)("pass not finished", error=error.message, again_in=round(pause, 2))
        except Exception:  # outermost guard of the loop: one deployment must not stop the others
            outcome = "failed"
            log.exception("pass failed", again_in=round(queue.failed(key), 2))
        else:
            queue.done(key)
            if key not in (self._pictures if len(key) == 3 else self._caches.primaries):
                queue.forget(key)
            elif again is not None:
                queue.add_later(key, again)
        self._telemetry.passes.labels(outcome).observe(loop.time() - began)

    @property
    def _reflectors(self) -> Mapping[str, Reflector[Any]]:
        return {**self._caches.reflectors, **self._pictures.reflectors}

    # What probes and metrics ask

    def _ill(self) -> str:
        answers = self._resync.answered_within(ANSWERS_WITHIN * self._settings.compare_seconds)
        led = asyncio.get_running_loop().time() - self._led_since if self._lease.held() else 0.0
        return self._resync.ill() or (stuck(self._queue, led) if answers else "")

    def _unready(self) -> str:
        if not self._loaded:
            missing = [name for name, one in self._reflectors.items() if not one.synced.is_set()]
            return f"not everything is known yet: {', '.join(missing) or 'what people write'}"
        return ""

    def _restarts(self) -> Iterable[tuple[str, str, int]]:
        for name, reflector in self._reflectors.items():
            for word, count in reflector.restarts.items():
                yield name, word, count
        for word, count in self._watching.restarts.items():
            yield "modeldeployments", word, count

    def _facts(self) -> Mapping[str, float]:
        return {
            "leading": float(self._lease.held()),
            "deployments": float(len(self._caches.primaries)),
            "children": float(sum(len(one) for one in self._caches.children.values())),
            "pods": float(len(self._caches.pods)),
        }


def certificate_in(folder: Path | None) -> Certificate | None:
    """The certificate of MIZZEN_TLS_DIR; None for plain HTTP. Raises SettingError."""
    if folder is None:
        return None
    try:
        return Certificate(folder)
    except (OSError, ssl.SSLError) as error:
        raise SettingError(unusable(folder, error)) from error


@asynccontextmanager
async def serving(
    app: web.Application, host: str, port: int, certificate: Certificate | None = None
) -> AsyncIterator[None]:
    """Serve an application meanwhile; over TLS with a certificate, which is kept renewed."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    renewing = asyncio.create_task(certificate.keep_renewed(), name="certificate") if certificate else None
    try:
        await web.TCPSite(runner, host, port, ssl_context=certificate.context if certificate else None).start()
        yield
    finally:
        if renewing is not None:
            renewing.cancel()
        await runner.cleanup()


async def operate(settings: Settings, connection: Connection) -> None:
    """Run one replica until cancelled."""
    telemetry = Telemetry()
    async with open_api(connection, on_write=telemetry.wrote) as api:
        await Operator(settings, connection, api, telemetry).run()
