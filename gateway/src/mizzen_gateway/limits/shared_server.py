"""What does a server do that gateways share for their limits? Five calls, each one atomic step over there.

`redis_server.py` and `postgres_server.py` implement them; `shared_store.py` makes a store of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mizzen_crds.access import BudgetAccess, BudgetWindow

from mizzen_gateway.limits.rules import CONCURRENCY, REQUESTS, Amounts, BudgetRule, LimitRule

RATE, RUNNING, BUDGET, SPENT = range(4)
"""Types of rows: requests in a window, requests at once, credit, and what is known at a request's end alone, such as
tokens in a window: held until then."""
REMEDY = (
    "see that it runs and can be reached from here, and its address and password: MIZZEN_LIMITS_STORE, or limits_store"
    " of gateway.yaml"
)
"""What an operator reads of a server that cannot be used."""
TAKEN, OVER, LACKING = 0, 1, 2
"""What a server says to `take`."""


class StoreUnreachableError(Exception):
    """The server did not answer, or not in time."""


class UnfitServerError(StoreUnreachableError):
    """The server answers, and can hold no limits; the message says why, and what to do."""


class EpochChangedError(Exception):
    """The server has another memory than the caller thought; `epoch` names it."""

    def __init__(self, epoch: str) -> None:
        super().__init__(epoch)
        self.epoch = epoch


@dataclass(frozen=True, slots=True)
class Row:
    """One limit or budget, as a server counts it."""

    key: str
    """Unique in its organization."""
    type: int
    """RATE, RUNNING, BUDGET or SPENT."""
    kind: int
    """Which of the amounts it counts."""
    strict: bool
    """It refuses: a limit that enforces, a budget that may not go into debt."""
    amount: int
    """Units in a window, or at once; 0 for a budget."""
    window_us: int
    """Microseconds; 1 where there is no window."""


@dataclass(eq=False, slots=True)
class Rows:
    """All that one key and model are counted in: limits, then budgets."""

    organization: str
    rows: tuple[Row, ...]
    packed: Any = None
    """The same in the words of the server's client, which keeps it here."""

    def units(self, amounts: Amounts) -> list[int]:
        """What a request takes of each."""
        return [amounts[row.kind] for row in self.rows]

    def in_debt(self, place: int) -> "Rows":
        """The same, but that the row may go into debt."""
        row = self.rows[place]
        lenient = Row(row.key, row.type, row.kind, False, row.amount, row.window_us)
        return Rows(self.organization, (*self.rows[:place], lenient, *self.rows[place + 1 :]))


@dataclass(frozen=True, slots=True)
class TakeAnswer:
    """What a server says to `take`."""

    status: int
    """TAKEN, OVER or LACKING."""
    place: int
    """Of the row that refused."""
    shadowed: tuple[int, ...]
    """Rows that would have refused, were they strict."""
    levels: tuple[float, ...]
    """Of each row before: units in use, or credit that is free."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """The end of what a request took, or how far it is."""

    rows: Rows
    epoch: str
    """Under which it was taken."""
    id: str
    """Empty where nothing was held."""
    taken: Amounts
    used: Amounts
    seconds: float = 0.0
    """Since it was taken."""

    def spent(self) -> list[float]:
        """What is used of each row. A request that does not count is given back, but for as much as may have drained
        since: else others would get that much more than the limit."""
        units = zip(self.rows.rows, self.rows.units(self.taken), self.rows.units(self.used), strict=True)
        return [
            float(taken - max(0.0, taken - used - self.seconds * 1e6 * row.amount / row.window_us))
            if row.type == RATE and used < taken
            else float(used)
            for row, taken, used in units
        ]


@dataclass(frozen=True, slots=True)
class Credit:
    """A budget, as a server holds it; in the smallest part of its unit."""

    credit: int
    """Set aside by the ledger when it last answered."""
    on_the_way: int
    """Used since, or used before and not charged then."""
    reserved: int
    """Held back for requests under way."""
    usable_seconds: float
    """So much longer."""
    charged: int
    """All that the ledger had ever charged when it last answered."""
    sequence: int
    """Of its last answer; 0 for none."""
    period: str
    """That the credit belongs to."""

    @property
    def in_use(self) -> int:
        """Credit that must be kept."""
        return self.on_the_way + self.reserved


@dataclass(frozen=True, slots=True)
class CreditGrant:
    """What the ledger granted, on top of a look."""

    seen: Credit
    credit: int
    charged: int
    sequence: int
    period: str
    usable_seconds: float


class LimitServer(Protocol):
    """A server; every method raises StoreUnreachableError."""

    @property
    def reachable(self) -> bool:
        """False while there is no connection: nobody needs to wait to learn it."""
        ...

    async def start(self) -> None:
        """Connect, at least try once; go on trying in the background. Raises UnfitServerError."""
        ...

    async def take(self, rows: Rows, epoch: str, reservation: str, amounts: Amounts, hold_seconds: float) -> TakeAnswer:
        """Take from every row or from none; an empty `reservation` holds nothing. Raises EpochChangedError."""
        ...

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """Give back what was not used; what has expired meanwhile is corrected, what is not known is passed over."""
        ...

    async def renew(self, running: Settlement, hold_seconds: float) -> None:
        """Hold on, with what is used so far; taken up anew where it is not known. Raises EpochChangedError."""
        ...

    async def look(self, organization: str, budget_id: str, epoch: str) -> Credit:
        """A budget's credit. Raises EpochChangedError."""
        ...

    async def grant(self, organization: str, budget_id: str, epoch: str, grant: CreditGrant) -> bool:
        """Put credit in; False where another answer came first. Raises EpochChangedError."""
        ...

    async def close(self) -> None:
        """Hang up."""
        ...


TYPES = {REQUESTS: RATE, CONCURRENCY: RUNNING}


def rows_of(organization: str, limits: Sequence[LimitRule], budgets: Sequence[BudgetRule]) -> Rows:
    """The rows of one key and model."""
    rows = [
        Row(
            key=f"{'running' if rule.kind == CONCURRENCY else 'rate'}:{rule.count_id}",
            type=TYPES.get(rule.kind, SPENT),
            kind=rule.kind,
            strict=rule.enforced,
            amount=rule.limit.amount,
            window_us=rule.limit.window_seconds * 1_000_000 or 1,
        )
        for rule in limits
    ]
    rows += [Row(budget_key(rule.budget.id), BUDGET, rule.kind, True, 0, 1) for rule in budgets]
    return Rows(organization, tuple(rows))


def budget_key(budget_id: str) -> str:
    """Its row's key."""
    return f"budget:{budget_id}"


def period_of(budget: BudgetAccess, period_start: str) -> str:
    """Which credit is one and the same: a rolling window's and a lifetime's never ends."""
    return "always" if budget.window in (BudgetWindow.ROLLING, BudgetWindow.LIFETIME) else period_start
