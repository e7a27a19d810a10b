"""`mizzen invoices|billing`: what happens to invoices, and what they say beside usage."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mizzen_cli.client import Json
from mizzen_cli.output import Column, Format, Output, acknowledge, column, show, show_one
from mizzen_cli.session import Project, session

app = typer.Typer(help="Invoices: finalize, pay, void, credit.", no_args_is_help=True)
billing = typer.Typer(help="What invoices say beside usage: tax, seller, customer, days.", no_args_is_help=True)

credits_in_hand = typer.Typer(help="Credits: money that a project's invoices draw.", no_args_is_help=True)

Invoice = Annotated[str, typer.Argument(help="Month as 2027-01, id or number.")]
Reason = Annotated[str, typer.Option(help="Why.")]
COLUMNS = (
    column("MONTH"),
    column("NUMBER"),
    column("STATE"),
    column("TOTAL"),
    column("CREDITED", spare=True),
    column("DUE"),
    column("CURRENCY"),
)


CREDITS = (column("NAME"), column("AMOUNT"), column("LEFT"), column("CURRENCY"), column("PRIORITY"))


@app.command("list")
def list_invoices(
    organization: Annotated[bool, typer.Option("--organization", help="All projects' that have a number.")] = False,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """List the project's months, newest first."""
    with session(project) as api:
        rows = api.items("/api/v1/invoices") if organization else api.get(api.path("invoices"))["items"]
        show(rows, (Column("PROJECT", lambda row: row["project"]), *COLUMNS), output)


@app.command("finalize")
def finalize(invoice: Invoice, output: Output = Format.TABLE, project: Project = None) -> None:
    """Give a month that is over its number; from then on it never changes."""
    _told("finalize", invoice, None, "{number}: {total} {currency}, due {due}", output, project)


@app.command("rerate")
def rerate(invoice: Invoice, output: Output = Format.TABLE, project: Project = None) -> None:
    """Price a draft's usage anew, by the rate cards as they are now; again, it changes nothing."""
    _told("rerate", invoice, None, "{month}: {total} {currency}", output, project)


@app.command("pay")
def pay(
    invoice: Invoice,
    reference: Annotated[str, typer.Option(help="The payment's own.")] = "",
    paid_at: Annotated[str | None, typer.Option(help="When, as 2027-01-31T12:00:00Z; default: now.")] = None,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Say that a finalized invoice was paid."""
    _told("pay", invoice, {"reference": reference, "paid_at": paid_at}, "{number} is paid", output, project)


@app.command("void")
def void(invoice: Invoice, reason: Reason, output: Output = Format.TABLE, project: Project = None) -> None:
    """Cancel a finalized invoice; its month is a draft again."""
    _told("void", invoice, {"reason": reason}, "{number} is void; its month is a draft again", output, project)


@app.command("credit")
def credit(
    invoice: Invoice,
    amount: Annotated[str, typer.Option(help="What is taken back.")],
    reason: Reason,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Take back a part of a finalized invoice, by a credit note."""
    with session(project) as api:
        note = api.post(api.path("invoices", invoice, "credit-notes"), {"amount": amount, "reason": reason})
        show_one(note, (column("NUMBER"), column("AMOUNT"), column("CURRENCY"), column("REASON")), output)


@app.command("credit-notes")
def credit_notes(invoice: Invoice, output: Output = Format.TABLE, project: Project = None) -> None:
    """List the credit notes of an invoice."""
    with session(project) as api:
        rows = api.get(api.path("invoices", invoice, "credit-notes"))["items"]
        show(rows, (column("NUMBER"), column("AMOUNT"), column("CURRENCY"), column("REASON")), output)


@app.command("pdf")
def pdf(
    invoice: Invoice,
    file: Annotated[Path, typer.Argument(help="File to write.")],
    project: Project = None,
) -> None:
    """Write an invoice as PDF."""
    with session(project) as api:
        answer = api.request("GET", api.path("invoices", invoice), params={"format": "pdf"})
    file.write_bytes(answer.content)


@billing.command("show")
def show_profile(
    organization: Annotated[bool, typer.Option("--organization", help="The organization's.")] = False,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Show what invoices say beside usage; nothing where the organization's holds."""
    with session(project) as api:
        _show_profile(api.get(_profile_path(api.path("billing-profile"), organization=organization)), output)


@billing.command("update")
def update_profile(
    tax_name: Annotated[str | None, typer.Option(help='Name of the tax\'s line; "none" for no tax.')] = None,
    tax_percent: Annotated[str | None, typer.Option(help="Percent of the net amount.")] = None,
    seller: Annotated[str | None, typer.Option(help="Name and address of who sends invoices.")] = None,
    customer: Annotated[str | None, typer.Option(help="Name and address of who pays them.")] = None,
    payment_days: Annotated[int | None, typer.Option(help="Days until an invoice is due.")] = None,
    monthly_fee: Annotated[str | None, typer.Option(help='Charged each month; "none" for none.')] = None,
    minimum: Annotated[str | None, typer.Option(help='What a month comes to at least; "none" for none.')] = None,
    discount_percent: Annotated[str | None, typer.Option(help='Percent off usage; "none" for none.')] = None,
    discount_until: Annotated[str | None, typer.Option(help="Last month of the discount, as 2027-12.")] = None,
    organization: Annotated[bool, typer.Option("--organization", help="For all projects that say nothing.")] = False,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Change what invoices say beside usage."""
    given: dict[str, Any] = {
        "tax_name": tax_name, "tax_percent": tax_percent, "seller": seller, "customer": customer,
        "payment_days": payment_days, "monthly_fee": monthly_fee, "minimum": minimum,
        "discount_percent": discount_percent, "discount_until": discount_until,
    }  # fmt: skip
    body = {name: None if value == "none" else value for name, value in given.items() if value is not None}
    if tax_name == "none":
        body |= {"tax_name": None, "tax_percent": None}
    with session(project) as api:
        _show_profile(api.patch(_profile_path(api.path("billing-profile"), organization=organization), body), output)


@credits_in_hand.command("create")
def create_credit(
    name: Annotated[str, typer.Argument(help="Name, unique in the project.")],
    amount: Annotated[str, typer.Option(help="In whole coins of the currency.")],
    reason: Reason,
    priority: Annotated[int, typer.Option(help="Those with the lowest are drawn first.")] = 100,
    expires_at: Annotated[
        str | None, typer.Option(help="From when on it is not drawn, as 2027-01-31T00:00:00Z.")
    ] = None,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Give the project a credit, which its invoices draw as they are finalized."""
    body = {"name": name, "amount": amount, "reason": reason, "priority": priority, "expires_at": expires_at}
    with session(project) as api:
        show_one(api.post(api.path("credits"), body), CREDITS, output)


@credits_in_hand.command("list")
def list_credits(output: Output = Format.TABLE, project: Project = None) -> None:
    """List the project's credits, with what is left of each."""
    with session(project) as api:
        show(api.get(api.path("credits"))["items"], CREDITS, output)


def _told(verb: str, invoice: str, body: Json | None, sentence: str, output: Format, project: str | None) -> None:
    with session(project) as api:
        answer = api.post(f"{api.path('invoices', invoice)}:{verb}", body)
    words = {name: answer.get(name, "") for name in ("number", "month", "total", "currency", "due")}
    acknowledge(sentence.format(**words), answer, output)


def _profile_path(of_project: str, *, organization: bool) -> str:
    return "/api/v1/billing-profile" if organization else of_project


def _show_profile(profile: Json, output: Format) -> None:
    columns = (
        Column("TAX", lambda row: f"{row.get('tax_name') or ''} {row.get('tax_percent') or ''}".strip()),
        Column("FEE", lambda row: row.get("monthly_fee") or "", spare=True),
        Column("MINIMUM", lambda row: row.get("minimum") or "", spare=True),
        Column("DISCOUNT", lambda row: row.get("discount_percent") or "", spare=True),
        Column("DAYS", lambda row: row.get("payment_days") or ""),
        Column("SELLER", lambda row: row.get("seller") or ""),
        Column("CUSTOMER", lambda row: row.get("customer") or ""),
    )
    show_one(profile, columns, output, name="etag")
