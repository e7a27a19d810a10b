"""What all gateways saw of each revision: counters added up over gateways and their restarts."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mizzen_crds.serving import GatewayLoad, RevisionLoad

from mizzen_operator.rollout.fleet import LoadWindow

Deployment = tuple[str, str]
"""Namespace and name."""
RevisionKey = tuple[str, str, str]
"""Namespace, deployment, revision."""
SILENT_AFTER = timedelta(minutes=1)
"""A gateway that reports nothing for so long is gone, or its next report is a first one."""


@dataclass(frozen=True)
class Totals:
    """Counters since this program started."""

    requests: int = 0
    errors: int = 0
    ttft_ms_sum: float = 0.0
    first_bytes: int = 0
    left: int = 0

    def plus(self, now: RevisionLoad, before: RevisionLoad | None) -> "Totals":
        """Add what came between two reports of one gateway."""
        return Totals(
            self.requests + now.requests - (before.requests if before else 0),
            self.errors + now.errors - (before.errors if before else 0),
            self.ttft_ms_sum + now.ttft_ms_sum - (before.ttft_ms_sum if before else 0.0),
            self.first_bytes + _first_bytes(now) - (_first_bytes(before) if before else 0),
            self.left + now.left - (before.left if before else 0),
        )

    def since(self, base: "Totals") -> LoadWindow:
        """What came after it."""
        return LoadWindow(
            self.requests - base.requests,
            self.errors - base.errors,
            self.ttft_ms_sum - base.ttft_ms_sum,
            self.first_bytes - base.first_bytes,
            self.left - base.left,
        )


def _first_bytes(load: RevisionLoad) -> int:
    return load.requests if load.first_bytes is None else load.first_bytes


@dataclass
class Counted:
    """One revision, all gateways together."""

    totals: Totals = Totals()
    begun: datetime | None = None
    """Begin of the step that is under way."""
    base: Totals = Totals()
    """Totals at that time."""


@dataclass(frozen=True)
class Gateway:
    """What one gateway last reported. It reports everything that it counted, each second."""

    boot_id: str
    heard_at: datetime
    last: Mapping[RevisionKey, RevisionLoad]


class LoadLedger:
    """Counters by revision, and windows over them.

    Counters of a gateway that was not heard before tell of its whole life: its first report is where counting begins.
    """

    def __init__(self) -> None:
        self._gateways: dict[str, Gateway] = {}
        self._counted: dict[Deployment, dict[str, Counted]] = {}

    def begin(self) -> None:
        """This program leads from now on: what was counted meanwhile belongs to no step that it saw begin."""
        self._gateways.clear()
        self._counted.clear()

    def record(
        self, load: GatewayLoad, now: datetime | None = None, exists: Callable[[Deployment], bool] = lambda _: True
    ) -> set[Deployment]:
        """Take one report; returns the deployments (namespace, name) in which requests are newly parked.

        Of deployments that do not exist nothing is counted: gateways tell of them as long as they live.
        """
        now = now or datetime.now(UTC)
        before, woken = self._gateways.get(load.gateway), set()
        for each in load.revisions:
            deployment = (each.namespace, each.deployment)
            if not exists(deployment):
                continue
            last = before.last.get((*deployment, each.revision)) if before is not None else None
            if before is not None:
                counted = self._of(deployment, each.revision)
                counted.totals = counted.totals.plus(each, last if before.boot_id == load.boot_id else None)
            if each.parked and not (last is not None and last.parked):
                woken.add(deployment)
        reported = {(one.namespace, one.deployment, one.revision): one for one in load.revisions}
        self._gateways[load.gateway] = Gateway(load.boot_id, now, reported)
        self._drop_silent(now)
        return woken

    def window(self, key: RevisionKey, since: datetime | None) -> LoadWindow:
        """What was seen since a step began. The first question after its begin sets the mark."""
        counted = self._of(key[:2], key[2])
        if since is None:
            counted.begun = None  # the next step may begin within the second in which this one did
            return LoadWindow()
        if counted.begun != since:
            counted.begun, counted.base = since, counted.totals
        return counted.totals.since(counted.base)

    def keep(self, deployment: Deployment, revisions: Collection[str]) -> None:
        """Forget what was counted of other revisions of a deployment; of all of them where it is gone."""
        kept = {digits: one for digits, one in self._counted.pop(deployment, {}).items() if digits in revisions}
        if kept:
            self._counted[deployment] = kept

    def __len__(self) -> int:
        """Revisions that are remembered, and last reports of them."""
        return sum(map(len, self._counted.values())) + sum(len(one.last) for one in self._gateways.values())

    def _of(self, deployment: Deployment, revision: str) -> Counted:
        return self._counted.setdefault(deployment, {}).setdefault(revision, Counted())

    def _drop_silent(self, now: datetime) -> None:
        silent = [name for name, one in self._gateways.items() if now - one.heard_at > SILENT_AFTER]
        for name in silent:
            del self._gateways[name]
