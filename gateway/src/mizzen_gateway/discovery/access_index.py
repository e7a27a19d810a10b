"""Who has which key, which limits, budgets and prices: the access snapshot, indexed for look-ups of a microsecond.

`discovery/access.py` builds one for each snapshot; auth/ and limits/ read it. It never changes: a new one takes its
place.
"""

import time
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from mizzen_crds.access import BATCH_RATE, AccessSnapshot, BudgetAccess, LimitAccess, Price, Priority, Scope

from mizzen_gateway.stages import Caller

PRIORITIES = tuple(Priority)
"""The highest first: their places are what requests are compared by."""
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
        scopes = (caller.organization_id, owned, caller.project_id, caller.key_id)
        return tuple(e for s in scopes for e in found.get(s, ()) if e.model is None or e.model == model)


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


def index_snapshot(snapshot: AccessSnapshot) -> AccessIndex:
    """Index a snapshot. Keys of a project that it does not list are left out."""
    projects = {project.id: project for project in snapshot.projects}
    limits = [*snapshot.limits, *snapshot.further_limits]
    granted = _granted(snapshot)
    keys = {}
    for key in snapshot.keys:
        project = projects.get(key.project_id)
        if project is None:
            continue
        caller = Caller(
            organization_id=snapshot.organization_id,
            project_id=project.id,
            project=project.name,
            namespace=project.namespace,
            key_id=key.id,
            models=None if key.models is None else frozenset(key.models),
            grants=granted.get(project.id, frozenset()),
            priority=PRIORITIES.index(key.priority),
        )
        expires_at = float("inf") if key.expires_at is None else key.expires_at.timestamp()
        keys[key.id] = IndexedKey(
            bytes.fromhex(key.digest),
            expires_at,
            caller,
            None if key.previous_digest is None else bytes.fromhex(key.previous_digest),
            0.0 if key.previous_expires_at is None else key.previous_expires_at.timestamp(),
        )
    return AccessIndex(
        version=snapshot.version,
        organization_id=snapshot.organization_id,
        currency=snapshot.currency,
        keys=keys,
        namespaces={project.name: project.namespace for project in snapshot.projects},
        limits=ByScope(_by_scope(limits)),
        budgets=ByScope(_by_scope([*snapshot.budgets, *snapshot.further_budgets])),
        prices=tuple(snapshot.prices),
        counts_users=any(limit.scope is Scope.USER for limit in limits),
        batch_prices={
            (price.rate_card_id.removesuffix(BATCH_RATE), price.model): price for price in snapshot.batch_prices
        },
    )


def _granted(snapshot: AccessSnapshot) -> dict[str, frozenset[str]]:
    """Models of other projects by project."""
    found: dict[str, set[str]] = {}
    for grant in snapshot.grants:
        found.setdefault(grant.project_id, set()).add(grant.model)
    return {project_id: frozenset(models) for project_id, models in found.items()}


def _by_scope(entries: list[Entry]) -> dict[str, tuple[Entry, ...]]:
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.scope_id, []).append(entry)
    return {scope: tuple(members) for scope, members in found.items()}
