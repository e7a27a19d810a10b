"""May somebody do this here? One pure function of the bindings decides; the guard and `access:explain` both call it.

What no binding allows is refused. A binding that denies wins over all that allow, wherever they are.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from mizzen_controlplane.kit.permission import Permission
from mizzen_controlplane.kit.place import Place, Reach


class Effect(StrEnum):
    """What a binding does with the permissions of its role."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Bound:
    """A binding that concerns the caller, with what its role holds now."""

    binding_id: str
    principal: str
    """The caller, or a group that it is in."""
    role: str
    """Name."""
    permissions: frozenset[Permission]
    effect: Effect
    place: Place


@dataclass(frozen=True, slots=True)
class Decision:
    """Yes or no, and why."""

    allowed: bool
    because: tuple[Bound, ...]
    """The bindings that deny; else those that allow. Empty where none does: nothing is allowed by itself."""


def decide(bindings: Iterable[Bound], permission: Permission, place: Place) -> Decision:
    """Whether the holder of `bindings` may use `permission` at `place`."""
    about = [bound for bound in bindings if permission in bound.permissions and bound.place.covers(place)]
    denying = tuple(bound for bound in about if bound.effect == Effect.DENY)
    if denying:
        return Decision(False, denying)
    return Decision(bool(about), tuple(about))


def held_at(bindings: Iterable[Bound], place: Place) -> frozenset[Permission]:
    """All that `decide` allows at `place`."""
    covering = [bound for bound in bindings if bound.place.covers(place)]
    return _allowed(covering) - _denied(covering)


def held_throughout(bindings: Iterable[Bound], place: Place) -> frozenset[Permission]:
    """What is allowed at `place` and denied nowhere below it: what its holder may give to others there."""
    known = list(bindings)
    covering = [bound for bound in known if bound.place.covers(place)]
    touching = [bound for bound in known if bound.place.covers(place) or place.covers(bound.place)]
    return _allowed(covering) - _denied(touching)


def reach_of(bindings: Iterable[Bound], permission: Permission) -> Reach:
    """The projects that are allowed as wholes."""
    about = [bound for bound in bindings if permission in bound.permissions]
    denied = {bound.place.project for bound in about if bound.effect == Effect.DENY and not bound.place.resource}
    allowed = {bound.place.project for bound in about if bound.effect == Effect.ALLOW and not bound.place.resource}
    if "" in denied:
        return Reach(everywhere=False)
    if "" in allowed:
        return Reach(everywhere=True, projects=frozenset(denied))
    return Reach(everywhere=False, projects=frozenset(allowed - denied))


def _allowed(bindings: Iterable[Bound]) -> frozenset[Permission]:
    return frozenset().union(*(bound.permissions for bound in bindings if bound.effect == Effect.ALLOW))


def _denied(bindings: Iterable[Bound]) -> frozenset[Permission]:
    return frozenset().union(*(bound.permissions for bound in bindings if bound.effect == Effect.DENY))
