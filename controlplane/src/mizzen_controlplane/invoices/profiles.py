"""Rules of billing profiles: the organization's holds where a project's says nothing."""

from decimal import Decimal
from typing import Any

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.invoices import repository
from mizzen_controlplane.invoices.drafting import SAID
from mizzen_controlplane.invoices.models import BillingProfile
from mizzen_controlplane.invoices.schemas import BillingProfilePatch
from mizzen_controlplane.invoices.whole_coins import whole_coins
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.database import flush_or, reading, unit_of_work
from mizzen_controlplane.kit.etag import require_match
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, invalid_field

PPM_OF_PERCENT = 10_000


async def get_profile(plane: Plane, project: str | None) -> BillingProfile:
    """A project's, or the organization's for None; an empty one where nothing was written."""
    async with reading(plane.database) as session:
        parent_id = (await project_or_404(session, plane, project)).id if project else plane.organization_id
        return (await repository.profiles_of(session, [parent_id])).get(parent_id) or _empty(parent_id)


async def patch_profile(
    plane: Plane, subject: Subject, project: str | None, body: BillingProfilePatch, if_match: str | None
) -> BillingProfile:
    """Change it; raises Invalid for a tax of more than everything."""
    changes = _kept(body.model_dump(exclude_unset=True), plane.currency)
    async with unit_of_work(plane.database) as session:
        parent_id = (
            (await project_or_404(session, plane, project, lock=True, even_archived=True)).id
            if project
            else plane.organization_id
        )
        row = (await repository.profiles_of(session, [parent_id])).get(parent_id) or _empty(parent_id)
        require_match(if_match, row)
        before = {name: getattr(row, name) for name in SAID}
        for name, value in changes.items():
            setattr(row, name, value)
        if (row.tax_name is None) != (row.tax_ppm is None):
            raise invalid_field("/tax_percent", "tax_name and tax_percent go together: write both, or null for both")
        if row.id == _id_of_none(parent_id):
            row.id = row.name = new_id("bil")
        row.touch()
        session.add(row)
        await flush_or(session, Conflict("The billing profile was made at this moment. Read it, and repeat."))
        record(
            session, subject, "billing_profiles.change", row.id, project_id=parent_id if project else "",
            before=before, after={name: getattr(row, name) for name in SAID},
        )  # fmt: skip
        return row


def percent_text(ppm: int | None) -> str | None:
    """Millionths as percent."""
    return None if ppm is None else f"{Decimal(ppm).scaleb(-4).normalize():f}"


def _kept(changes: dict[str, Any], currency: str) -> dict[str, Any]:
    kept = dict(changes)
    for written in ("tax_percent", "discount_percent"):
        if written in changes:
            percent = kept.pop(written)
            kept[written.replace("_percent", "_ppm")] = None if percent is None else _ppm(written, percent)
    for written in ("monthly_fee", "minimum"):
        if written in changes:
            amount = kept.pop(written)
            kept[f"{written}_pico"] = None if amount is None else whole_coins(f"/{written}", amount, currency)
    return kept


def _ppm(written: str, percent: str) -> int:
    ppm = int(Decimal(percent) * PPM_OF_PERCENT)
    if ppm > 100 * PPM_OF_PERCENT:
        raise invalid_field(f"/{written}", f"{written} is {percent}, it must be at most 100")
    return ppm


def _id_of_none(parent_id: str) -> str:
    return f"none_{parent_id}"


def _empty(parent_id: str) -> BillingProfile:
    return BillingProfile(id=_id_of_none(parent_id), name="", parent_id=parent_id, revision=0)
