"""Where does a version stand at this moment? A release from quarantine may have expired since it was written."""

from datetime import datetime

from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.problem import Conflict
from mizzen_controlplane.models.models import ModelVersion
from mizzen_controlplane.models.schemas import VersionState


def state_now(version: ModelVersion, now: datetime | None = None) -> VersionState:
    """Its state; QUARANTINED once the release that made it READY has expired."""
    ends = version.release_expires_at
    if version.state == VersionState.READY and ends is not None and ends <= (now or utc_now()):
        return VersionState.QUARANTINED
    return VersionState(version.state)


def quarantined(named: str, version: ModelVersion) -> Conflict:
    """The refusal of a version that is quarantined."""
    return Conflict(
        f"{named} is QUARANTINED, so nothing serves it. {version.reason} Push a mended version; or somebody who may "
        "(quarantine:override) looks at its scan and releases it with a reason.",
        code="version_quarantined",
    )
