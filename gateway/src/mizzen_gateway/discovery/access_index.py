"""Who has which key, which limits, budgets and prices: the access snapshot, indexed for look-ups of a microsecond.

`access_building.py` makes one for each snapshot; auth/ and limits/ read it. A new one takes its place; where keys alone
have changed, the new one goes on with the parts of the one before, so that 100,000 keys are not copied for one.
"""

import time
from collections.abc import Generator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from mizzen_crds.access import BudgetAccess, LimitAccess, Price

from mizzen_gateway.stages import Caller

PAUSE_AFTER = 64
"""Entries between two pauses, where many are gone through: half a millisecond where each is new."""
Entry = TypeVar("Entry", LimitAccess, BudgetAccess)


@dataclass(frozen=True, slots=True)
class IndexedKey:
    """One key that is not revoked."""

    digest: bytes
    """HMAC-SHA256(pepper, secret)."""
    expires_at: float
    """Seconds since the epoch; infinity for never."""
    caller: Caller
    """Whom it speaks for."""
    previous_digest: bytes | None = None
    """Of the secret before the last rotation."""
    previous_expires_at: float = 0.0
    """Seconds since the epoch; the secret before the last rotation is refused from then on."""


@dataclass(frozen=True, slots=True)
class ByScope(Generic[Entry]):
    """Limits or budgets by what they are counted over."""

    entries: dict[str, tuple[Entry, ...]]

    def matching(self, caller: Caller, model: str) -> tuple[Entry, ...]:
        """All that apply to this caller and served name: the organization's first, the key's last."""
        found = self.entries
        owned = model if "/" in model else f"{caller.project}/{model}"
        scopes = (caller.organization_id, owned, caller.project_id, caller.owner, caller.key_id)
        return tuple(e for s in scopes for e in found.get(s, ()) if e.model is None or e.model == model)


@dataclass(frozen=True, slots=True)
class Tenant:
    """What all keys of a project have in common."""

    organization_id: str
    project_id: str
    project: str
    """Its name."""
    namespace: str
    grants: frozenset[str]
    """Models of other projects."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Entries by the hash of the text that they were read from: who finds that text again need not read it."""

    keys: dict[int, IndexedKey] = field(default_factory=dict)
    limits: dict[int, LimitAccess] = field(default_factory=dict)
    budgets: dict[int, BudgetAccess] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AccessIndex:
    """One snapshot, ready to be asked."""

    version: int
    organization_id: str
    currency: str
    keys: dict[str, IndexedKey]
    namespaces: dict[str, str]
    """Namespace by name of project."""
    limits: ByScope[LimitAccess]
    budgets: ByScope[BudgetAccess]
    prices: tuple[Price, ...]
    counts_users: bool
    """Some limit has a count for each end user."""
    batch_prices: dict[tuple[str, str], Price] = field(default_factory=dict)
    """Rates for lines of batches, by version of the rate card and model."""
    limit_ids: AbstractSet[str] = frozenset()
    """Of all limits."""
    tenants: dict[str, Tenant] = field(default_factory=dict)
    """By id of project."""
    marks: Marks = field(default_factory=Marks, compare=False, repr=False)
    """For the snapshot that follows this one."""
    token: object = field(default_factory=object, compare=False, repr=False)
    """Tells this index from others: who remembers what was worked out of it holds this, and not all keys with it."""

    def dismantled(self) -> Generator[None, None, None]:
        """Empty it, a few entries at a time, once another is in force and nobody asks this one any more.

        To give back the memory of all at once would take as long as a hundred requests.
        """
        parts: tuple[dict[Any, Any], ...] = (
            *(self.marks.keys, self.marks.limits, self.marks.budgets),
            *(self.keys, self.limits.entries, self.budgets.entries),
        )
        for part in parts:
            while part:
                for _ in range(min(len(part), PAUSE_AFTER)):
                    part.popitem()
                yield

    def price_of(self, caller: Caller, model: str) -> Price | None:
        """The last price that is for this project or all, and for this model or "*"; its rate for batches for these."""
        for price in reversed(self.prices):
            if price.project_id in (None, caller.project_id) and price.model in ("*", model):
                return self.batch_prices.get((price.rate_card_id, price.model), price) if caller.batch else price
        return None


@dataclass(slots=True)
class AccessState:
    """The index in force, and when the control plane last confirmed it. One per process; `access.py` writes it."""

    max_age_seconds: float
    """How long serving survives without the control plane."""
    index: AccessIndex | None = None
    confirmed_at: float = 0.0
    """Seconds since the epoch."""
    swaps: int = field(default=0)
    """How many snapshots were taken up."""

    def put(self, index: AccessIndex, confirmed_at: float) -> None:
        """Put a newer index in force."""
        self.index = index
        self.confirmed_at = confirmed_at
        self.swaps += 1

    def age_seconds(self, now: float | None = None) -> float:
        """Seconds since the control plane last said that this is the newest."""
        return (time.time() if now is None else now) - self.confirmed_at

    def current(self, now: float) -> AccessIndex | None:
        """The index, or None where there is none or it has outlived `max_age_seconds`."""
        return self.index if now - self.confirmed_at <= self.max_age_seconds else None
