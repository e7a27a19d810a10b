"""How long may a start take? Budgets from the model's bytes and measured speeds, never a fixed number for all."""

import math
from dataclasses import dataclass
from typing import Final

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment

from mizzen_operator.kinds.model_deployment.artifact import Artifact
from mizzen_operator.kinds.model_deployment.environment import PlanEnvironment

ENGINE_START_SECONDS: Final = 300
"""What an engine takes beside reading weights: imports, compilation, memory pools."""
SECONDS_A_WARMUP_REQUEST: Final = 10
SAFETY_FACTOR: Final = 3
"""A disk or network may be three times as slow as measured before a start counts as stuck."""
UNKNOWN_SIZE_SECONDS: Final = 1800
LONGEST_LOAD_SECONDS: Final = 86_400
"""Ceiling of every start-up probe, as of `spec.lifecycle.startupBudgetSeconds`."""
LONGEST_SILENCE_SECONDS: Final = 14_400
"""So long a container of a start that tells nothing of itself is left alone."""
OFTEN_UNTIL_SECONDS: Final = 1200
"""Up to this budget the probe asks each second, beyond it every five: the API server records failures as events."""


@dataclass(frozen=True)
class ProbeSchedule:
    """How often a start-up probe asks, and how many failures it bears."""

    period_seconds: int
    failure_threshold: int


def load_budget_seconds(deployment: ModelDeployment, artifact: Artifact, environment: PlanEnvironment) -> int:
    """Return how long an engine may take from its start to its first readiness, in seconds.

    min(24 h, 300 s + 3 x bytes / load speed + 10 s x warm-up requests); 1,800 s in place of the middle term
    where the size is not known. `spec.lifecycle.startupBudgetSeconds` replaces all of it. Fetch and layout are over
    by then.
    """
    lifecycle = deployment.spec.lifecycle
    if lifecycle.startup_budget_seconds is not None:
        return lifecycle.startup_budget_seconds
    reading = UNKNOWN_SIZE_SECONDS
    if artifact.size_bytes:
        reading = math.ceil(SAFETY_FACTOR * artifact.size_bytes / environment.load_bytes_per_second)
    warming = SECONDS_A_WARMUP_REQUEST * lifecycle.warmup.requests
    return min(LONGEST_LOAD_SECONDS, ENGINE_START_SECONDS + reading + warming)


def longest_silence_seconds(stall_seconds: int) -> int:
    """Return how long a container of a start may report nothing; never less than it may stand still."""
    return max(LONGEST_SILENCE_SECONDS, stall_seconds)


def fetch_estimate_seconds(artifact: Artifact, environment: PlanEnvironment) -> int:
    """Return how long the weights take to arrive at the measured speed, in seconds; 0 where the size is not known."""
    return math.ceil(artifact.size_bytes / environment.fetch_bytes_per_second)


def probe_schedule(budget_seconds: int) -> ProbeSchedule:
    """Return a schedule whose failures add up to at least the budget."""
    period = 1 if budget_seconds <= OFTEN_UNTIL_SECONDS else 5
    return ProbeSchedule(period, math.ceil(budget_seconds / period))
