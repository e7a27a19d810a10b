"""Rules of FOCUS 1.2 that an export is checked by: what a row breaks, in sentences."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

MANDATORY: Final = {
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd",
    "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart",
    "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit",
    "ProviderName", "PublisherName", "ServiceCategory", "ServiceName",
}  # fmt: skip
MAY_BE_NULL: Final = {"BillingAccountName", "ChargeClass", "ChargeDescription", "PricingQuantity", "PricingUnit"}
DECIMALS: Final = (
    "BilledCost", "EffectiveCost", "ListCost", "ContractedCost", "PricingQuantity", "ConsumedQuantity",
    "ListUnitPrice", "ContractedUnitPrice",
)  # fmt: skip
MOMENTS: Final = ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd")
LISTS: Final = {
    "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
    "ChargeClass": {"", "Correction"},
    "ChargeFrequency": {"", "One-Time", "Recurring", "Usage-Based"},
    "PricingCategory": {"", "Standard", "Dynamic", "Committed", "Other"},
    "ServiceCategory": {"AI and Machine Learning"},
    "ServiceSubcategory": {
        "AI Platforms", "Bots", "Generative AI", "Machine Learning", "Natural Language Processing",
        "Other (AI and Machine Learning)",
    },
}  # fmt: skip
"""Of the service's only those of its category."""


def focus_rows(text: str) -> list[dict[str, str]]:
    """Rows of an export."""
    return list(csv.DictReader(io.StringIO(text)))


def broken_rules(text: str) -> list[str]:
    """What an export breaks; nothing for one that is good."""
    header = next(csv.reader(io.StringIO(text)))
    broken = [f"{name} is missing" for name in sorted(MANDATORY - set(header))]
    broken += [f"{name} is there twice" for name in sorted({name for name in header if header.count(name) > 1})]
    if broken:
        return broken
    return [f"row {number}: {said}" for number, row in enumerate(focus_rows(text), 1) for said in _broken(row)]


def _broken(row: Mapping[str, str]) -> Iterator[str]:
    yield from (f"{name} is null" for name in sorted(MANDATORY - MAY_BE_NULL) if not row[name])
    for name in DECIMALS:
        if row[name] and not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", row[name]):
            yield f"{name} is no decimal: {row[name]}"
    for name in MOMENTS:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", row[name]):
            yield f"{name} is no moment in UTC: {row[name]}"
    for name, allowed in LISTS.items():
        if row[name] not in allowed:
            yield f"{name} is {row[name]}"
    if not re.fullmatch("[A-Z]{3}", row["BillingCurrency"]):
        yield f"BillingCurrency is {row['BillingCurrency']}"
    if not isinstance(json.loads(row["Tags"]), dict):
        yield f"Tags are {row['Tags']}"
    begins, ends, from_, until = (datetime.fromisoformat(row[name]) for name in MOMENTS)
    if not begins <= from_ < until <= ends:
        yield "the charge's period is not inside of the billing period"
    yield from _broken_between(row)


def _broken_between(row: Mapping[str, str]) -> Iterator[str]:
    for kind in ("Pricing", "Consumed"):
        if bool(row[f"{kind}Quantity"]) != bool(row[f"{kind}Unit"]):
            yield f"{kind}Quantity and {kind}Unit do not go together"
    for kind in ("List", "Contracted"):
        price = row[f"{kind}UnitPrice"]
        if price and Decimal(price) * Decimal(row["PricingQuantity"]) != Decimal(row[f"{kind}Cost"]):
            yield f"{kind}Cost is not the unit price times the quantity"
    if row["ChargeCategory"] == "Usage" and not (row["SkuId"] and row["PricingQuantity"]):
        yield "a charge of usage has no SKU or no quantity"
    if row["SkuPriceId"] and not row["SkuId"]:
        yield "SkuPriceId without SkuId"
