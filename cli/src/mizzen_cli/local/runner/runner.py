"""The runner's parts put together: followers and timers wake keys, workers run passes over them."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import structlog
from aiohttp import web
from mizzen_crds.serving import GatewayLoad, StartupProgress
from mizzen_operator.kinds.model_deployment.environment import PlanEnvironment
from mizzen_operator.ledgers.load_ledger import LoadLedger
from mizzen_operator.ledgers.startup_ledger import StartupLedger
from mizzen_operator.reconcile.keyed_queue import KeyedQueue
from mizzen_operator.runtimes.builtin import builtin_runtimes

from mizzen_cli.local.credentials import read_credential
from mizzen_cli.local.data_folder import DataFolder, open_data_folder
from mizzen_cli.local.environments import Environments, default_cache
from mizzen_cli.local.pod.sandboxes import Sandboxes
from mizzen_cli.local.ports import HOST
from mizzen_cli.local.runner.apply import Applier
from mizzen_cli.local.runner.environment_keeper import EnvironmentKeeper
from mizzen_cli.local.runner.http_endpoint import endpoint_app
from mizzen_cli.local.runner.object_cache import Key, ObjectCache
from mizzen_cli.local.runner.object_store import ObjectStore, StoreUnavailableError
from mizzen_cli.local.runner.observe import key_of_pod
from mizzen_cli.local.runner.pod_factory import PLATFORM_IMAGE
from mizzen_cli.local.runner.resolution import Resolver
from mizzen_cli.local.runner.revisions import RevisionFolder
from mizzen_cli.local.runner.run_pass import Hands, run_pass
from mizzen_cli.local.spawn import reap_children

RESYNC_SECONDS = 2.0
POD_LOOK_SECONDS = 0.15
RUNTIME_RETRY_SECONDS = 0.2
WORKERS = 4
log = structlog.get_logger()


@dataclass(frozen=True)
class RunnerSettings:
    """What the environment says."""

    controlplane_url: str
    token: str
    data_dir: Path
    secrets_dir: Path
    port: int
    gateway_url: str


class Runner:
    """One runner."""

    def __init__(self, settings: RunnerSettings) -> None:
        self._settings = settings
        folder = open_data_folder(settings.data_dir)
        if folder is None:
            raise SystemExit(f"{settings.data_dir} is no data folder; run `mizzen up`")
        self._folder: DataFolder = folder
        self._queue: KeyedQueue[Key] = KeyedQueue()
        self._pod_stamps: dict[Path, tuple[int, int]] = {}
        self._runtimes_applied = False

    async def run(self) -> None:
        """Until cancelled."""
        settings, folder = self._settings, self._folder
        async with ObjectStore(settings.controlplane_url, settings.token) as store:
            cache = ObjectCache(store, self._queue.add)
            hands = self._hands(store, cache)
            endpoint = web.AppRunner(self._endpoint(cache, hands), access_log=None)
            await endpoint.setup()
            await web.TCPSite(endpoint, HOST, settings.port).start()
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(cache.follow())
                    group.create_task(self._apply_runtimes(store))
                    group.create_task(self._resync(cache))
                    group.create_task(self._look_at_pods(Sandboxes(folder.pods, folder.logs / "pods")))
                    for _ in range(WORKERS):
                        group.create_task(self._work(cache, hands))
            finally:
                await hands.keeper.close()
                await endpoint.cleanup()

    def _hands(self, store: ObjectStore, cache: ObjectCache) -> Hands:
        settings, folder = self._settings, self._folder
        sandboxes = Sandboxes(folder.pods, folder.logs / "pods")
        sandboxes.remove_halves()
        revisions = RevisionFolder(folder.revisions)
        startups = StartupLedger()
        keeper = EnvironmentKeeper(Environments(default_cache()), lambda: self._wake(cache.keys()))
        return Hands(
            store=store,
            cache=cache,
            sandboxes=sandboxes,
            revisions=revisions,
            resolver=Resolver(store),
            keeper=keeper,
            startups=startups,
            loads=LoadLedger(),
            applier=Applier(folder, store, cache, sandboxes, revisions, keeper, startups),
            environment=PlanEnvironment(
                platform_image=PLATFORM_IMAGE,
                registry_url=settings.controlplane_url,
                operator_url=f"http://{HOST}:{settings.port}",
                url=settings.gateway_url,
            ),
        )

    def _endpoint(self, cache: ObjectCache, hands: Hands) -> web.Application:
        def on_load(load: GatewayLoad) -> None:
            self._wake(hands.loads.record(load))

        def on_progress(progress: StartupProgress) -> None:
            hands.startups.record(progress)

        return endpoint_app(
            gateway_token=read_credential(self._settings.secrets_dir, "gateway"),
            registry_token=read_credential(self._settings.secrets_dir, "registry"),
            ready=lambda: cache.synced.is_set() and self._runtimes_applied,
            on_load=on_load,
            on_progress=on_progress,
        )

    async def _apply_runtimes(self, store: ObjectStore) -> None:
        """The runtimes that Mizzen brings along are objects like any other."""
        for runtime in builtin_runtimes().values():
            while True:
                try:
                    await store.put(runtime.model_dump(mode="json", by_alias=True, exclude={"status"}))
                    break
                except StoreUnavailableError as error:
                    log.warning("runtime not applied yet", runtime=runtime.metadata.name, error=str(error))
                    await asyncio.sleep(RUNTIME_RETRY_SECONDS)
        self._runtimes_applied = True

    async def _resync(self, cache: ObjectCache) -> None:
        """Look at everything from time to time: an alias may point elsewhere, a pod may be lost."""
        await cache.synced.wait()
        revisions = RevisionFolder(self._folder.revisions)
        while True:
            for key in {*cache.keys(), *revisions.deployments()}:
                self._queue.add_unless_failing(key)
            reap_children()
            await asyncio.sleep(RESYNC_SECONDS)

    async def _look_at_pods(self, sandboxes: Sandboxes) -> None:
        """A pod whose shim wrote something, or that came or went, wakes its deployment."""
        while True:
            stamps = dict(self._stamps())
            if stamps != self._pod_stamps:
                changed = {root for root, stamp in stamps.items() if self._pod_stamps.get(root) != stamp}
                self._pod_stamps = stamps
                self._wake({key_of_pod(each) for each in sandboxes.seen() if each.sandbox.root in changed})
            await asyncio.sleep(POD_LOOK_SECONDS)

    def _stamps(self) -> Iterable[tuple[Path, tuple[int, int]]]:
        for file in self._folder.pods.glob("*/*/state.json"):
            try:
                found = file.stat()
            except FileNotFoundError:
                continue
            yield file.parent, (found.st_mtime_ns, found.st_ino)

    def _wake(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self._queue.add(key)

    async def _work(self, cache: ObjectCache, hands: Hands) -> None:
        await cache.synced.wait()
        while True:
            key = await self._queue.take()
            try:
                await run_pass(key, hands)
            except StoreUnavailableError as error:
                pause = self._queue.failed(key)
                log.warning("pass not finished", namespace=key[0], name=key[1], error=str(error), again_in=pause)
            except Exception:  # outermost guard of the loop: one deployment must not stop the others
                pause = self._queue.failed(key)
                log.exception("pass failed", namespace=key[0], name=key[1], again_in=pause)
            else:
                self._queue.done(key)
