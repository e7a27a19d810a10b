"""How does a snapshot become an index? Entry by entry, in whatever order they come; what is as before is shared.

`access_lines.py` feeds it what it reads, a few entries at a time, so that requests go on meanwhile: what takes long is
a generator that pauses after each few. A hundred thousand keys take a second that way, and no request waits for it.
"""

from collections.abc import Generator, Iterable
from dataclasses import replace
from typing import Generic, TypeVar

from mizzen_crds.access import (
    BATCH_RATE,
    AccessDelta,
    AccessSnapshot,
    BudgetAccess,
    Grant,
    KeyAccess,
    LimitAccess,
    Priority,
    ProjectAccess,
    Scope,
)

from mizzen_gateway.auth.client_address import networks_of
from mizzen_gateway.discovery.access_index import (
    PAUSE_AFTER,
    AccessIndex,
    ByScope,
    Entry,
    IndexedKey,
    Marks,
    Tenant,
)
from mizzen_gateway.stages import Caller

PRIORITIES = tuple(Priority)
"""The highest first: their places are what requests are compared by."""
NEVER = float("inf")
NO_ROUTES: frozenset[str] = frozenset()
Made = TypeVar("Made")


def index_snapshot(snapshot: AccessSnapshot) -> AccessIndex:
    """Index a snapshot. Keys of a project that it does not list are left out."""
    building = IndexBuilder(None)
    building.expect(snapshot.organization_id, snapshot.projects, snapshot.grants)
    for key in (*snapshot.keys, *snapshot.further_keys):
        building.add_key(key)
    for limit in (*snapshot.limits, *snapshot.further_limits, *snapshot.owner_limits):
        building.add_limit(limit)
    for budget in (*snapshot.budgets, *snapshot.further_budgets, *snapshot.owner_budgets):
        building.add_budget(budget)
    return without_pause(building.finished(snapshot))


def without_pause(steps: Generator[None, None, Made]) -> Made:
    """Its result, all at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # what it returns


def indexed(key: KeyAccess, tenant: Tenant, known: dict[frozenset[str], frozenset[str]]) -> IndexedKey:
    """The key of a tenant; of equal lists of models `known` has one."""
    models = None if key.models is None and key.routes is None else frozenset(key.models or ())
    caller = Caller(
        organization_id=tenant.organization_id,
        project_id=tenant.project_id,
        project=tenant.project,
        namespace=tenant.namespace,
        key_id=key.id,
        models=None if models is None else known.setdefault(models, models),
        grants=tenant.grants,
        priority=PRIORITIES.index(key.priority),
        routes=NO_ROUTES if key.routes is None else frozenset(key.routes),
        operations=None if key.operations is None else frozenset(one.value for one in key.operations),
        addresses=None if key.ip_ranges is None else networks_of(key.ip_ranges),
        owner=key.owner,
    )
    return IndexedKey(
        bytes.fromhex(key.digest),
        NEVER if key.expires_at is None else key.expires_at.timestamp(),
        caller,
        None if key.previous_digest is None else bytes.fromhex(key.previous_digest),
        0.0 if key.previous_expires_at is None else key.previous_expires_at.timestamp(),
    )


def with_delta(index: AccessIndex, delta: AccessDelta) -> AccessIndex:
    """The index after a change of some of its keys. It takes the place of `index`, which is used up.

    All is worked out before anything is changed. Raises ValueError for a delta of another version, or that cannot be.
    """
    if delta.after != index.version or delta.version <= delta.after:
        raise ValueError(f"a delta from {delta.after} to {delta.version} does not fit version {index.version}")
    known: dict[frozenset[str], frozenset[str]] = {}
    changed, gone = {}, set(delta.removed_keys)
    for key in delta.keys:
        tenant = index.tenants.get(key.project_id)
        if tenant is None:
            gone.add(key.id)
        else:
            changed[key.id] = indexed(key, tenant, known)
    for key_id in gone:
        index.keys.pop(key_id, None)
    index.keys.update(changed)
    return replace(index, version=delta.version)


class IndexBuilder:
    """An index that is being made."""

    def __init__(self, before: AccessIndex | None) -> None:
        """`before` is the one that it will take the place of."""
        self._before = {} if before is None else before.tenants
        self._known = self._before
        """Tenants as far as they are known."""
        self._guessed: dict[str, Tenant] = {}
        """Those that keys were added with."""
        self._keys: dict[str, IndexedKey] = {}
        self._models: dict[frozenset[str], frozenset[str]] = {}
        """Equal ones are one."""
        self._told: dict[frozenset[str], set[str]] = {}
        """Which fields limits came with: most came with the same ones, and each that keeps a set of its own has 700
        bytes more."""
        self._limits = _Scopes[LimitAccess]({} if before is None else before.limits.entries)
        self._budgets = _Scopes[BudgetAccess]({} if before is None else before.budgets.entries)
        self._limit_ids: set[str] = set()
        self._counts_users = False
        self._marks = Marks()

    def expect(self, organization_id: str, projects: Iterable[ProjectAccess], grants: Iterable[Grant]) -> None:
        """These projects, which is told before the keys where it can be: what keys are granted may come after them."""
        told = self._tenants(organization_id, projects, grants)
        for project_id, tenant in told.items():
            before = self._known.get(project_id)
            if before is not None and replace(tenant, grants=before.grants) == before:
                told[project_id] = before
        self._known = self._known | told

    def add_key(self, key: KeyAccess, mark: int | None = None) -> None:
        """One that is new or has changed; `mark` is the hash of its text."""
        added = self._keys[key.id] = indexed(key, self._guess(key.project_id), self._models)
        if mark is not None:
            self._marks.keys[mark] = added

    def take_key(self, key: IndexedKey, mark: int) -> None:
        """One of the index before: the same object, where its project is as it was."""
        caller = key.caller
        tenant = self._guess(caller.project_id)
        if tenant is not self._before.get(caller.project_id):
            key = replace(key, caller=_of(tenant, caller))
        self._keys[caller.key_id] = self._marks.keys[mark] = key

    def add_limit(self, limit: LimitAccess, mark: int | None = None) -> None:
        """Likewise, without what only a message needs."""
        told = limit.model_fields_set
        limit = LimitAccess.model_construct(self._told.setdefault(frozenset(told), told), **dict(limit))
        self.take_limit(limit, mark)

    def take_limit(self, limit: LimitAccess, mark: int | None = None) -> None:
        """One of the index before."""
        self._limits.add(limit)
        self._limit_ids.add(limit.id)
        self._counts_users = self._counts_users or limit.scope is Scope.USER
        if mark is not None:
            self._marks.limits[mark] = limit

    def add_budget(self, budget: BudgetAccess, mark: int | None = None) -> None:
        """Likewise."""
        self._budgets.add(budget)
        if mark is not None:
            self._marks.budgets[mark] = budget

    def finished(self, rest: AccessSnapshot) -> Generator[None, None, AccessIndex]:
        """The index, with all that is no key, limit or budget from `rest`."""
        tenants = self._tenants(rest.organization_id, rest.projects, rest.grants)
        if any(tenants.get(project_id) is not guess for project_id, guess in self._guessed.items()):
            yield from self._place(tenants)
        limits = yield from self._limits.finished()
        budgets = yield from self._budgets.finished()
        return AccessIndex(
            version=rest.version,
            organization_id=rest.organization_id,
            currency=rest.currency,
            keys=self._keys,
            namespaces={project.name: project.namespace for project in rest.projects},
            limits=limits,
            budgets=budgets,
            prices=tuple(rest.prices),
            counts_users=self._counts_users,
            batch_prices={
                (price.rate_card_id.removesuffix(BATCH_RATE), price.model): price for price in rest.batch_prices
            },
            limit_ids=self._limit_ids,
            tenants=tenants,
            marks=self._marks,
        )

    def _guess(self, project_id: str) -> Tenant:
        found = self._guessed.get(project_id)
        if found is None:
            unknown = Tenant("", project_id, "", "", frozenset())
            found = self._guessed[project_id] = self._known.get(project_id, unknown)
        return found

    def _tenants(
        self, organization_id: str, projects: Iterable[ProjectAccess], grants: Iterable[Grant]
    ) -> dict[str, Tenant]:
        """By project; one that is as before is the same object."""
        granted: dict[str, set[str]] = {}
        for grant in grants:
            granted.setdefault(grant.project_id, set()).add(grant.model)
        found = {}
        for project in projects:
            models = frozenset(granted.get(project.id, ()))
            tenant = Tenant(organization_id, project.id, project.name, project.namespace, models)
            before = self._known.get(project.id)
            found[project.id] = before if before is not None and before == tenant else tenant
        return found

    def _place(self, tenants: dict[str, Tenant]) -> Generator[None, None, None]:
        """Keys again, where what was guessed of their project is not so; without those whose project is not listed."""
        keys: dict[str, IndexedKey] = {}
        for number, key in enumerate(self._keys.values()):
            if not number % PAUSE_AFTER:
                yield
            project_id = key.caller.project_id
            tenant = tenants.get(project_id)
            if tenant is not None:
                right = tenant is self._guessed[project_id]
                keys[key.caller.key_id] = key if right else replace(key, caller=_of(tenant, key.caller))
        marks: dict[int, IndexedKey] = {}
        for number, (mark, marked) in enumerate(self._marks.keys.items()):
            if not number % PAUSE_AFTER:
                yield
            placed = keys.get(marked.caller.key_id)
            if placed is not None:
                marks[mark] = placed
        self._keys, self._marks = keys, replace(self._marks, keys=marks)


def _of(tenant: Tenant, caller: Caller) -> Caller:
    """The same caller, of that tenant."""
    return Caller(
        tenant.organization_id,
        tenant.project_id,
        tenant.project,
        tenant.namespace,
        caller.key_id,
        caller.models,
        tenant.grants,
        caller.priority,
        caller.routes,
        caller.operations,
        caller.addresses,
        owner=caller.owner,
    )


class _Scopes(Generic[Entry]):
    """Limits or budgets by what they are counted over, being gathered.

    Most scopes have one, and the same as before: nothing is made for these. A hundred thousand lists would be as much
    work for the collector of garbage as for the reader.
    """

    def __init__(self, before: dict[str, tuple[Entry, ...]]) -> None:
        self._before: dict[str, tuple[Entry, ...]] = before
        self._found: dict[str, tuple[Entry, ...]] = {}
        self._several: dict[str, list[Entry]] = {}

    def add(self, entry: Entry) -> None:
        """One more."""
        scope = entry.scope_id
        if scope in self._several:
            self._several[scope].append(entry)
        elif scope in self._found:
            self._several[scope] = list(self._found[scope])
            self._several[scope].append(entry)
        else:
            before = self._before.get(scope, ())
            self._found[scope] = before if _is_only(before, entry) else (entry,)

    def finished(self) -> Generator[None, None, ByScope[Entry]]:
        """All of them."""
        for number, (scope, members) in enumerate(self._several.items()):
            if not number % PAUSE_AFTER:
                yield
            self._found[scope] = tuple(members)
        return ByScope(self._found)


def _is_only(members: tuple[Entry, ...], entry: Entry) -> bool:
    return len(members) == 1 and members[0] is entry
