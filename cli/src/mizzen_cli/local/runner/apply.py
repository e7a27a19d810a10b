"""What a plan does to pods: make, start, end, clear away; each step with its reason in the log and for people."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import structlog
from mizzen_crds.store import Occurrence
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_operator.ledgers.startup_ledger import StartupLedger

from mizzen_cli.local.data_folder import DataFolder
from mizzen_cli.local.environments import platform_bin
from mizzen_cli.local.pod.sandboxes import Sandboxes, SeenPod
from mizzen_cli.local.runner.environment_keeper import EnvironmentKeeper
from mizzen_cli.local.runner.object_cache import Key, ObjectCache
from mizzen_cli.local.runner.object_store import ObjectStore, StoreUnavailableError
from mizzen_cli.local.runner.observe import DeploymentPods, key_of_pod
from mizzen_cli.local.runner.pod_factory import pod_manifest, pod_settings
from mizzen_cli.local.runner.revisions import KeptRevision, RevisionFolder
from mizzen_cli.local.runner.scale import ScaleStep

log = structlog.get_logger()


class Applier:
    """Carries steps out on this machine."""

    def __init__(
        self,
        folder: DataFolder,
        store: ObjectStore,
        cache: ObjectCache,
        sandboxes: Sandboxes,
        revisions: RevisionFolder,
        keeper: EnvironmentKeeper,
        startups: StartupLedger,
    ) -> None:
        self._folder = folder
        self._store = store
        self._cache = cache
        self._sandboxes = sandboxes
        self._revisions = revisions
        self._keeper = keeper
        self._startups = startups

    async def carry_out(
        self,
        deployment: ModelDeployment,
        kept: Mapping[str, KeptRevision],
        pods: Sequence[SeenPod],
        steps: Mapping[str, ScaleStep],
    ) -> None:
        """Make and end pods; start pending ones whose environment is ready."""
        by_name = {each.pod.name: each for each in pods}
        for digits, step in steps.items():
            for _ in range(step.make):
                await self._make(deployment, kept[digits], step.reason)
            for name in step.remove:
                log.info("pod ends", pod=name, reason=step.reason)
                self._sandboxes.ask_to_stop(by_name[name])
                await self.tell(deployment, "Normal", "PodEnds", f"Pod of {kept[digits].revision.name}: {step.reason}")
        for seen in pods:
            if going_on(seen):
                self._sandboxes.ask_to_stop(seen)
            elif seen.pending and not any(seen.pod.name in step.remove for step in steps.values()):
                self._launch(seen, kept)

    def clear_away(self, pods: DeploymentPods) -> None:
        """Remove what has ended, heal what was lost, end what belongs to an earlier object."""
        for seen in pods.ended:
            log.info("pod cleared away", pod=seen.pod.name, lost=seen.lost)
            self._sandboxes.clear_away(seen)
            self._startups.forget(seen.pod.name)
        for seen in pods.foreign:
            self._sandboxes.ask_to_stop(seen)

    async def remove_deployment(self, key: Key) -> None:
        """The object is gone: no more requests, then no more pods."""
        if self._cache.endpoint_set(key) is not None:
            await self._store.delete("EndpointSet", *key)
        for seen in [each for each in self._sandboxes.seen() if key_of_pod(each) == key]:
            if seen.lost or (seen.state and seen.state.finished):
                self._sandboxes.clear_away(seen)
                self._startups.forget(seen.pod.name)
            else:
                self._sandboxes.ask_to_stop(seen)
        if not any(key_of_pod(each) == key for each in self._sandboxes.seen()):
            self._revisions.forget_all(*key)

    async def tell(self, deployment: ModelDeployment, kind: str, reason: str, message: str) -> None:
        """Tell people. What cannot be told now is in the log; a pass does not fail for it."""
        log.info("occurrence", deployment=deployment.metadata.name, reason=reason, message=message)
        occurrence = Occurrence(
            namespace=deployment.metadata.namespace,
            name=deployment.metadata.name,
            type="Warning" if kind == "Warning" else "Normal",
            reason=reason,
            message=message,
            time=datetime.now(UTC),
        )
        try:
            await self._store.occur(occurrence)
        except StoreUnavailableError as error:
            log.warning("occurrence not told", error=str(error))

    async def _make(self, deployment: ModelDeployment, kept: KeptRevision, reason: str) -> None:
        manifest = pod_manifest(deployment, kept)
        engine = self._keeper.environments.bin_folder(kept.local)
        settings = pod_settings(manifest, self._folder, platform_bin(), engine)
        sandbox = self._sandboxes.create(manifest, settings)
        name = manifest["metadata"]["name"]
        log.info("pod made", pod=name, reason=reason)
        if self._keeper.view(kept.runtime, kept.local).ready:
            self._sandboxes.launch(sandbox)
        await self.tell(deployment, "Normal", "PodMade", f"Pod of {kept.revision.name}: {reason}")

    def _launch(self, seen: SeenPod, kept: Mapping[str, KeptRevision]) -> None:
        for each in kept.values():
            if seen.pod.name.startswith(f"{each.revision.name}-") and self._keeper.view(each.runtime, each.local).ready:
                self._sandboxes.launch(seen.sandbox)
                return


def going_on(seen: SeenPod) -> bool:
    """Its end was asked for and has not begun: the signal may have been lost."""
    return seen.sandbox.stop_file.exists() and not (seen.state and seen.state.terminating)
