"""Tables of budgets: the amounts, what each period has spent, and the credit that gateways hold."""

from datetime import datetime

from mizzen_crds.access import BudgetUnit, BudgetWindow
from mizzen_crds.periods import Window
from sqlalchemy import JSON, BigInteger, UniqueConstraint
from sqlmodel import Field, SQLModel

from mizzen_controlplane.kit.columns import UtcDateTime
from mizzen_controlplane.kit.tables import ResourceRow


class Budget(ResourceRow, table=True):
    """Money, tokens or accelerator-seconds for each period. Amounts are in the smallest part of the unit."""

    __tablename__ = "budget"
    __table_args__ = (UniqueConstraint("parent_id", "name"),)

    parent_id: str = Field(max_length=64)
    """Project, or the organization for a budget over all of it."""
    scope: str = Field(max_length=16)
    scope_id: str = Field(max_length=64, index=True)
    model: str | None = Field(default=None, max_length=127)
    amount_pico: int = Field(sa_type=BigInteger)
    enforcement: str = Field(max_length=16)
    owner: str = Field(default="", max_length=16, sa_column_kwargs={"server_default": ""})
    """As of a limit: `limits.models.DECLARED`, or empty."""
    unit: str = Field(default="money", max_length=32, sa_column_kwargs={"server_default": "money"})
    window: str = Field(default="month", max_length=16, sa_column_kwargs={"server_default": "month"})
    window_seconds: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    """Length of a rolling window; 0 for the others."""
    hardness: str = Field(default="hard", max_length=16, sa_column_kwargs={"server_default": "hard"})
    on_store_loss: str = Field(default="refuse", max_length=16, sa_column_kwargs={"server_default": "refuse"})

    notify_at: list[int] | None = Field(default=None, sa_type=JSON)
    """Percentages of the amount that are announced when they are spent."""

    @property
    def amount_unit(self) -> BudgetUnit:
        """What it is of."""
        return BudgetUnit(self.unit)

    def window_in(self, time_zone: str) -> Window:
        """When it begins anew, in the organization's time zone."""
        return Window(BudgetWindow(self.window), self.window_seconds, time_zone)


class BudgetSpending(SQLModel, table=True):
    """What one period has spent, or one quarter-hour of a rolling window.

    Written by the ledger, in the transaction that takes the events.
    """

    __tablename__ = "budget_spending"

    budget_id: str = Field(primary_key=True, max_length=64, foreign_key="budget.id", ondelete="CASCADE")
    period_start: datetime = Field(primary_key=True, sa_type=UtcDateTime)
    spent_pico: int = Field(default=0, sa_type=BigInteger)


class BudgetThreshold(SQLModel, table=True):
    """A percentage that a period has announced. Of rolling windows there are none."""

    __tablename__ = "budget_threshold"

    budget_id: str = Field(primary_key=True, max_length=64, foreign_key="budget.id", ondelete="CASCADE")
    period_start: datetime = Field(primary_key=True, sa_type=UtcDateTime)
    percent: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})


class BudgetLease(SQLModel, table=True):
    """Credit set aside for one gateway."""

    __tablename__ = "budget_lease"

    budget_id: str = Field(primary_key=True, max_length=64, foreign_key="budget.id", ondelete="CASCADE")
    holder: str = Field(primary_key=True, max_length=253)
    period_start: datetime = Field(sa_type=UtcDateTime)
    credit_pico: int = Field(sa_type=BigInteger)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    charged_pico: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    """All that the holder was ever charged in this period; it outlives the credit."""
    sequence: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    """Of the newest answer to the holder."""
