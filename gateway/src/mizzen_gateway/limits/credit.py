"""How much of a budget may this gateway still spend? Credit that the ledger has set aside for it, less what is in use.

    free = credit - on the way - reserved

`credit` is what the ledger said last, less what it has charged since; *on the way* is what was used and not yet
acknowledged by the ledger; *reserved* is held back for requests under way. An acknowledged event leaves both `credit`
and *on the way*, so that `free` is never more than the ledger has set aside, however answers are lost or repeated: it
can only be less, until the next lease.
"""

from dataclasses import dataclass

from mizzen_crds.access import BudgetAccess, LeaseGrant

Terms = tuple[object, ...]
"""What of a budget decides how much of it is left: its amount, unit and window."""


@dataclass(slots=True)
class CreditAccount:
    """One budget, as this gateway holds it."""

    budget_id: str
    unit: str = "money"
    """Of which the amounts below are the smallest part: pico, one token, a millisecond of an accelerator."""
    credit: int = 0
    """Set aside by the ledger, in pico."""
    on_the_way: int = 0
    """Used, not yet acknowledged, in pico."""
    reserved: int = 0
    """Held back for requests under way, in pico."""
    remaining: int | None = None
    """Left in the budget beyond all leases when the ledger last answered; None before that."""
    usable_until: float = 0.0
    """End of the lease or of the period, whichever is first, in seconds since the epoch."""
    period_end: float = 0.0
    """End of the period that the credit belongs to."""
    granted_at: float = 0.0
    """When the ledger last answered."""
    low: int = 0
    """Where less is free than that, more is asked for in advance, in pico."""
    spent: bool = False
    """Something was reserved since the last renewal."""
    terms: Terms | None = None
    """Of the budget, when requests last asked for it; None before that."""

    def go_by(self, budget: BudgetAccess) -> None:
        """The budget is this now. What was lent on other terms, a larger amount say, is spent no further."""
        terms = terms_of(budget)
        self.unit = budget.unit.value
        if self.terms not in (None, terms):
            self.forget_free()
        self.terms = terms

    def forget_free(self) -> None:
        """Nothing is free until the ledger has been asked again; what is in use stays so."""
        self.credit = min(self.credit, self.in_use)
        self.remaining = None

    def free(self, now: float) -> int:
        """What may be reserved now; 0 or less for nothing."""
        if now >= self.usable_until:
            return 0
        return self.credit - self.on_the_way - self.reserved

    @property
    def in_use(self) -> int:
        """Credit that the gateway must keep: used or held back."""
        return self.on_the_way + self.reserved

    def reserve(self, pico: int) -> None:
        """Hold back; the caller has looked at `free`."""
        self.reserved += pico
        self.spent = True

    def settle(self, reserved: int, used: int) -> None:
        """A request ended: what it held back is free again, what it used is on its way to the ledger."""
        self.reserved -= reserved
        self.on_the_way += used

    def acknowledge(self, pico: int) -> None:
        """The ledger has charged an event."""
        self.credit -= pico
        self.on_the_way -= pico

    def take_grant(self, grant: LeaseGrant, now: float) -> None:
        """Go on with what the ledger says; it replaces what it said before, the period included."""
        self.credit = grant.credit_pico
        self.remaining = grant.remaining_pico
        self.period_end = grant.period_end.timestamp()
        self.usable_until = min(grant.expires_at.timestamp(), self.period_end)
        self.granted_at = now


def terms_of(budget: BudgetAccess) -> Terms:
    """What credit of it was lent on."""
    return budget.amount_pico, budget.unit, budget.window, budget.window_seconds
