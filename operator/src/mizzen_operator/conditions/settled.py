"""What follows from the conditions of a kind without replicas? Ready, and Reconciling and Stalled while true."""

from collections.abc import Mapping

from mizzen_crds.v1alpha1 import conditions

from mizzen_operator.conditions.verdict import Said, needs_spec_change, yes


def summed_up(parts: Mapping[str, Said], ready: Said | None = None, *, in_place: str = "") -> dict[str, Said]:
    """Return Ready first (all parts are true, or `ready`), then the parts, then Reconciling and Stalled while true.

    `in_place` is the reason of a Ready that is true. A part that is False for a cause that only a change of the spec
    cures makes Stalled true; any other that is not true, and is on its way, makes Reconciling true.
    """
    blocked = [one for one in parts.values() if not one.true]
    certain = [one for one in blocked if one.false] or blocked
    whole = {conditions.READY: ready or (certain[0] if certain else yes(in_place)), **parts}
    stuck = next((one for one in blocked if one.false and needs_spec_change(one.reason)), None)
    moving = next((one for one in blocked if one.reason in _ON_ITS_WAY), None)
    if stuck is not None:
        whole[conditions.STALLED] = Said("True", stuck.reason, stuck.message)
    elif moving is not None:
        whole[conditions.RECONCILING] = Said("True", moving.reason, moving.message)
    return whole


_ON_ITS_WAY = frozenset(
    row.reason for row in conditions.REASONS.values() if conditions.RECONCILING in row.condition_types
)
