"""How the proxy comes up with the settings of this process; what is wrong in them is told before anything is served."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mizzen_controlplane.egress.policy import EgressPolicy, policy_of
from mizzen_controlplane.egress.proxy import EgressProxy
from mizzen_controlplane.egress.resolution import resolver_of
from mizzen_controlplane.kit.settings import Settings, SettingsError


def policy_in(settings: Settings) -> EgressPolicy:
    """What MIZZEN_EGRESS_TRUSTED and MIZZEN_EGRESS_ONLY say; raises SettingsError."""
    try:
        return policy_of(settings.egress_trusted, settings.egress_only)
    except ValueError as error:
        raise SettingsError(f"MIZZEN_EGRESS_TRUSTED or MIZZEN_EGRESS_ONLY: {error}.") from error


@asynccontextmanager
async def egress_open(settings: Settings) -> AsyncIterator[EgressProxy]:
    """The proxy, listening inside the block."""
    proxy = EgressProxy(policy_in(settings), resolver_of(settings.egress_resolver))
    async with proxy.listening():
        yield proxy
