"""Which pass is a key's? One over a Project, a ModelRoute or an AcceleratorClass; and all of them now and then."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from mizzen_kube.errors import ApiError

from mizzen_operator.kinds.accelerator_class.status import class_status
from mizzen_operator.reconcile.kinds.pictures import CLASS, PROJECT, ROUTE, KindKey
from mizzen_operator.reconcile.kinds.project_pass import ProjectHands, project_pass
from mizzen_operator.reconcile.kinds.route_pass import route_pass
from mizzen_operator.reconcile.kinds.untold import untold

SPREAD_SECONDS: Final = 60.0


@dataclass(frozen=True)
class KindPasses:
    """Passes over the kinds beside ModelDeployment."""

    hands: ProjectHands
    url: str
    """Where people reach the gateway."""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC).replace(microsecond=0)
    """Whole seconds, as Kubernetes counts them."""

    async def run_pass(self, key: KindKey) -> float | None:
        """Look at one object; returns after how many seconds to look again, None for never.

        Raises ApiError where the pass should come again soon.
        """
        now = self.clock()
        try:
            return await self._pass(key, now)
        except ApiError:
            raise  # the server is away, or what was seen is old: a status from it would be no better
        except Exception as error:
            await self._tell(key, error, now)
            raise

    async def _pass(self, key: KindKey, now: datetime) -> float | None:
        namespace, name, kind = key
        hands = self.hands
        if kind == PROJECT:
            return await project_pass(name, hands, now)
        if kind == ROUTE:
            await route_pass(namespace, name, hands.caches, hands.pictures, hands.statuses, self.url, now)
        if kind == CLASS:
            await self._class_pass(name, now)
        return None

    async def _tell(self, key: KindKey, error: Exception, now: datetime) -> None:
        """A status after a bug too: the one of before would go on saying what nobody has looked at."""
        subject = self.hands.pictures.find(key)
        if subject is None or subject.metadata.deletion_timestamp is not None:
            return
        await self.hands.statuses.write(subject, untold(subject, error, now), now)

    async def _class_pass(self, name: str, now: datetime) -> None:
        caches = self.hands.caches
        classes = caches.classes()
        klass = classes.get(name)
        if klass is None or klass.metadata.deletion_timestamp is not None:
            return
        nodes = list(caches.nodes.values())
        await self.hands.statuses.write(
            klass, class_status(klass, nodes, caches.claims(), list(classes.values()), now), now
        )

    async def look_at_all(self, period: float, soon: Callable[[KindKey, float], None]) -> None:
        """Wake every key each `period` seconds, spread over a part of it, until cancelled."""
        while True:
            await asyncio.sleep(period)
            spread = min(SPREAD_SECONDS, period / 2)
            for key in self.hands.pictures.keys():  # noqa: SIM118 -- not a dict
                soon(key, random.uniform(0, spread))  # noqa: S311 -- spreads load
