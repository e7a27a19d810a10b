"""How far are the replicas of each revision that are not ready yet? Steps and bytes that can be compared."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from mizzen_operator.ledgers.advance_ledger import Milestone, Standing
from mizzen_operator.ledgers.startup_ledger import PodProgress
from mizzen_operator.observing.pod_view import PodView


def standings(pods: Iterable[PodView], progress_of: Callable[[PodView], PodProgress]) -> Mapping[str, Standing]:
    """Return by revision how many replicas are ready, and how far the one is that is next."""
    by_hash: dict[str, list[PodView]] = defaultdict(list)
    for pod in pods:
        if not pod.terminating and not pod.finished:
            by_hash[pod.revision].append(pod)
    return {
        digits: Standing(
            ready=sum(pod.ready for pod in mine),
            furthest=max((milestone(pod, progress_of(pod)) for pod in mine if not pod.ready), default=(0, 0)),
        )
        for digits, mine in by_hash.items()
    }


def milestone(pod: PodView, progress: PodProgress) -> Milestone:
    """Return how many steps are behind a pod (a place, init containers, the engine's start), and bytes of the next."""
    init = [one for one in pod.containers if one.init]
    ended = sum(one.exit_code == 0 and not one.running for one in init)
    engine = any(not one.init and one.started_at is not None for one in pod.containers)
    told = [progress.phases[one.name].bytes_done or 0 for one in init if one.running and one.name in progress.phases]
    return int(pod.scheduled and bool(pod.node)) + ended + int(engine), max(told, default=0)
