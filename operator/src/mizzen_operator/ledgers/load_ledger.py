"""What all gateways saw of each revision: counters added up over gateways and their restarts."""

from dataclasses import dataclass
from datetime import datetime

from mizzen_crds.serving import GatewayLoad, RevisionLoad

from mizzen_operator.rollout.fleet import LoadWindow

RevisionKey = tuple[str, str, str]
"""Namespace, deployment, revision."""


@dataclass(frozen=True)
class Totals:
    """Counters since this program started."""

    requests: int = 0
    errors: int = 0
    ttft_ms_sum: float = 0.0

    def plus(self, now: RevisionLoad, before: RevisionLoad | None) -> "Totals":
        """Add what came between two reports of one gateway."""
        return Totals(
            self.requests + now.requests - (before.requests if before else 0),
            self.errors + now.errors - (before.errors if before else 0),
            self.ttft_ms_sum + now.ttft_ms_sum - (before.ttft_ms_sum if before else 0.0),
        )


class LoadLedger:
    """Counters by revision, and windows over them."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str, RevisionKey], RevisionLoad] = {}
        self._totals: dict[RevisionKey, Totals] = {}
        self._begin: dict[RevisionKey, tuple[datetime, Totals]] = {}
        self._parked: dict[tuple[str, RevisionKey], int] = {}

    def record(self, load: GatewayLoad) -> set[tuple[str, str]]:
        """Take one report; returns the deployments (namespace, name) in which requests are newly parked."""
        woken = set()
        for each in load.revisions:
            key = (each.namespace, each.deployment, each.revision)
            slot = (load.gateway, load.boot_id, key)
            self._totals[key] = self._totals.get(key, Totals()).plus(each, self._last.get(slot))
            self._last[slot] = each
            if each.parked and not self._parked.get((load.gateway, key)):
                woken.add((each.namespace, each.deployment))
            self._parked[load.gateway, key] = each.parked
        # Counters of a gateway's earlier life do not come back.
        self._last = {
            slot: one for slot, one in self._last.items() if slot[0] != load.gateway or slot[1] == load.boot_id
        }
        return woken

    def window(self, key: RevisionKey, since: datetime | None) -> LoadWindow:
        """What was seen since a step began. The first question after its begin sets the mark."""
        now = self._totals.get(key, Totals())
        if since is None:
            self._begin.pop(key, None)  # the next step may begin within the second in which this one did
            return LoadWindow()
        begun, base = self._begin.get(key, (None, now))
        if begun != since:
            base = now
            self._begin[key] = (since, base)
        return LoadWindow(now.requests - base.requests, now.errors - base.errors, now.ttft_ms_sum - base.ttft_ms_sum)
