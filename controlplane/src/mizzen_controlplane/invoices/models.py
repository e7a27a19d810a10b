"""Tables of invoices and credit notes, and of what stands on them for a payer. What is numbered never changes."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from mizzen_controlplane.kit.columns import UtcDateTime
from mizzen_controlplane.kit.tables import ResourceRow


class Invoice(ResourceRow, table=True):
    """One month of one project, once it is more than what the ledger says. Triggers keep a numbered one as it is."""

    __tablename__ = "invoice"
    __table_args__ = (
        UniqueConstraint("organization_id", "number"),
        UniqueConstraint("project_id", "month", "edition"),
        Index("ix_invoice_state", "organization_id", "state", "id"),
    )

    organization_id: str = Field(foreign_key="organization.id", max_length=64)
    project_id: str = Field(foreign_key="project.id", max_length=64)
    month: str = Field(max_length=7)
    edition: int
    """1, and one more for each that was void before it."""
    state: str = Field(max_length=16)
    """draft, finalized, paid or void."""
    rated_as_of: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Usage is priced by the rate cards as they were written then; None: as it was priced when it was used."""
    number: str | None = Field(default=None, max_length=64)
    document: str | None = Field(default=None, sa_type=Text)
    """The invoice as it was finalized, JSON."""
    digest: str | None = Field(default=None, max_length=64)
    """SHA-256 of the document, hex."""
    finalized_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    paid_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    payment_reference: str = Field(default="", max_length=253)
    voided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    void_reason: str = Field(default="", max_length=1024)


class CreditNote(ResourceRow, table=True):
    """Takes back a part of a finalized invoice; never changed."""

    __tablename__ = "credit_note"
    __table_args__ = (UniqueConstraint("organization_id", "number"),)

    organization_id: str = Field(foreign_key="organization.id", max_length=64)
    project_id: str = Field(foreign_key="project.id", max_length=64)
    invoice_id: str = Field(foreign_key="invoice.id", max_length=64, index=True)
    number: str = Field(max_length=64)
    amount_pico: int = Field(sa_type=BigInteger)
    currency: str = Field(max_length=3)
    reason: str = Field(max_length=1024)


class BillingProfile(ResourceRow, table=True):
    """What invoices of a project, or of all of the organization, say beside its usage."""

    __tablename__ = "billing_profile"
    __table_args__ = (UniqueConstraint("parent_id"),)

    parent_id: str = Field(max_length=64)
    """Organization or project."""
    tax_name: str | None = Field(default=None, max_length=64)
    tax_ppm: int | None = None
    """Millionths of the net amount."""
    seller: str | None = Field(default=None, max_length=1024)
    customer: str | None = Field(default=None, max_length=1024)
    payment_days: int | None = None
    monthly_fee_pico: int | None = Field(default=None, sa_type=BigInteger)
    minimum_pico: int | None = Field(default=None, sa_type=BigInteger)
    discount_ppm: int | None = None
    """Millionths of what usage comes to."""
    discount_until: str | None = Field(default=None, max_length=7)
    """Last month of the discount; None for no end."""


class Credit(ResourceRow, table=True):
    """Money that a project has in hand: invoices draw it when they are finalized."""

    __tablename__ = "credit"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    project_id: str = Field(foreign_key="project.id", max_length=64)
    amount_pico: int = Field(sa_type=BigInteger)
    currency: str = Field(max_length=3)
    priority: int
    """Those with the lowest are drawn first."""
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    reason: str = Field(max_length=1024)


class CreditDraw(SQLModel, table=True):
    """What an invoice took of a credit. It counts for nothing while the invoice is void."""

    __tablename__ = "credit_draw"

    invoice_id: str = Field(primary_key=True, foreign_key="invoice.id", max_length=64)
    credit_id: str = Field(primary_key=True, foreign_key="credit.id", max_length=64, index=True)
    amount_pico: int = Field(sa_type=BigInteger)
