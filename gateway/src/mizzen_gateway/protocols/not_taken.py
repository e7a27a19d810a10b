"""What is a caller told where an engine refuses the gateway itself? That it is no passing failure, and who can tell."""

from typing import Final

from mizzen_gateway.stages import Refusal

NOT_TAKEN: Final = frozenset({401, 403, 404, *range(300, 400)})
"""Statuses of an engine that say more of how it is set up here, its key, model or address, than of a request."""


def gateway_refused(model: str) -> Refusal:
    """502."""
    message = (
        f"Model '{model}' could not be asked: its engine does not take what this gateway sends it, whatever the"
        " request; if that stays, whoever runs the gateway finds the cause in its log."
    )
    return Refusal(502, "upstream_error", message)
