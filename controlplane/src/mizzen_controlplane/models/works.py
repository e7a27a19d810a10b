"""The long work that this domain has done for those who ask: what replicas take from the operations' queue."""

from collections.abc import Mapping
from typing import Final

from mizzen_controlplane.models import verification
from mizzen_controlplane.operations.work import Work

WORKS: Final[Mapping[str, Work]] = {verification.KIND: verification.WORK}
"""Kind of an operation -> how it is worked on."""
