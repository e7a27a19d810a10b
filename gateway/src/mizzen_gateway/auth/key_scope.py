"""May a key ask for that? Which of the gateway's paths stand for which operation, and the refusal."""

from collections.abc import Mapping
from typing import Final

from mizzen_crds.access import KeyOperation

from mizzen_gateway.stages import Caller, Refusal

OPERATION_OF: Final[Mapping[str, str]] = {
    **{one.value: one.value for one in KeyOperation},
    **{f"files.{verb}": "files" for verb in ("create", "list", "get", "delete", "content")},
    **{f"batches.{verb}": "batches" for verb in ("create", "list", "get", "cancel")},
}
"""By what a path means. What is missing here, as the list of models, every key may ask for."""


def operation_refused(caller: Caller, action: str) -> Refusal | None:
    """403 where the key is confined to other operations; asked only where it is confined at all."""
    operation = OPERATION_OF.get(action)
    if caller.operations is None or operation is None or operation in caller.operations:
        return None
    allowed = ", ".join(sorted(caller.operations))
    return Refusal(
        403,
        "operation_not_allowed",
        f"The API key may not be used for '{operation}' (only {allowed}); use another key, or have it added to the "
        "operations of this one.",
    )
