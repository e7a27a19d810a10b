"""Usage in FOCUS 1.2 (FinOps Open Cost and Usage Specification): a row a day, key, operation, model and meter; pure.

Amounts are exact and by unit prices, before what the invoice of a month adds to them all or takes off.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

import orjson
from mizzen_crds.access import BATCH_RATE
from mizzen_crds.periods import Period

from mizzen_controlplane.invoices.csv_text import plain
from mizzen_controlplane.invoices.lines import UsedAtPrice, charged, version_of
from mizzen_controlplane.pricing.meter_prices import METER_PRICES, MeterPrice, pico_by_meter
from mizzen_controlplane.pricing.models import RateCardVersion
from mizzen_controlplane.pricing.money import amount_text
from mizzen_controlplane.pricing.prices_in_force import price_of

MANDATORY: Final = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd",
    "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart",
    "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit",
    "ProviderName", "PublisherName", "ServiceCategory", "ServiceName",
)  # fmt: skip
FURTHER: Final = (
    "BillingAccountType", "ChargeFrequency", "ConsumedQuantity", "ConsumedUnit", "ContractedUnitPrice", "InvoiceId",
    "ListUnitPrice", "PricingCategory", "ResourceId", "ResourceName", "ResourceType", "ServiceSubcategory", "SkuId",
    "SkuMeter", "SkuPriceId", "SubAccountId", "SubAccountName", "SubAccountType", "Tags",
)  # fmt: skip
COLUMNS: Final = (*MANDATORY, *FURTHER)
PROVIDER: Final = "Mizzen"


@dataclass(frozen=True, slots=True)
class Account:
    """What all rows of an export have in common."""

    organization_id: str
    organization: str
    project_id: str
    project: str
    currency: str
    period: Period
    issuer: str
    """Who sends the invoice."""
    invoice_number: str = ""
    """Of the month's invoice, once it is final."""


@dataclass(frozen=True, slots=True)
class UsedOn:
    """Usage of one day that agrees in all that is named here."""

    day: Period
    key_id: str
    operation: str
    used: UsedAtPrice


@dataclass(frozen=True, slots=True)
class _Measure:
    """How a meter is told."""

    digits: int
    """By which its smallest unit is shifted into the priced one."""
    priced: str
    consumed_digits: int
    consumed: str


_TOKENS: Final = _Measure(6, "1000000 Tokens", 0, "Tokens")
_REQUESTS: Final = _Measure(0, "Requests", 0, "Requests")
_SECONDS: Final = _Measure(3, "Accelerator-Seconds", 3, "Accelerator-Seconds")
_MEASURES: Final = {"requests": _REQUESTS, "response_cache_hits": _REQUESTS, "accelerator_ms": _SECONDS}


def focus_csv(account: Account, usage: Iterable[UsedOn], versions: Mapping[str, RateCardVersion]) -> str:
    """RFC 4180 with a header of `COLUMNS`; null is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="")
    writer.writeheader()
    shared = _shared(account)
    for each in usage:
        for row in _rows(each, versions):
            writer.writerow(
                {name: plain(value) if name in _FREE_TEXT else value for name, value in (shared | row).items()}
            )
    return text.getvalue()


_FREE_TEXT: Final = {"BillingAccountName", "SubAccountName", "ResourceName", "InvoiceIssuerName"}
"""What people named."""


def _shared(account: Account) -> dict[str, str]:
    return {
        "BillingAccountId": account.organization_id,
        "BillingAccountName": account.organization,
        "BillingAccountType": "Organization",
        "BillingCurrency": account.currency,
        "BillingPeriodStart": _moment(account.period.start),
        "BillingPeriodEnd": _moment(account.period.end),
        "InvoiceId": account.invoice_number,
        "InvoiceIssuerName": account.issuer,
        "ProviderName": PROVIDER,
        "PublisherName": PROVIDER,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceSubcategory": "AI Platforms",
        "ServiceName": "Model serving",
        "SubAccountId": account.project_id,
        "SubAccountName": account.project,
        "SubAccountType": "Project",
    }


def _rows(usage: UsedOn, versions: Mapping[str, RateCardVersion]) -> Iterator[dict[str, str]]:
    used = usage.used
    version = versions.get(version_of(used.rate_card_id))
    pico = pico_by_meter(price_of(version, used.model, batch=used.rate_card_id.endswith(BATCH_RATE)))
    explained = 0
    if used.billed or not any(pico.values()):  # what failed costs nothing, and is no charge
        for price in METER_PRICES:
            quantity = charged(used.sums, price.meter)
            if quantity:
                explained += quantity * pico[price.meter]
                yield _resource_on(usage) | _of_meter(usage, price, quantity, pico[price.meter])
    rest = used.sums.cost_pico - explained
    if rest:
        yield _resource_on(usage) | _of_rest(used, rest)


def _resource_on(usage: UsedOn) -> dict[str, str]:
    tags = {"mizzen/key": usage.key_id, "mizzen/operation": usage.operation}
    return {
        "ChargePeriodStart": _moment(usage.day.start),
        "ChargePeriodEnd": _moment(usage.day.end),
        "ResourceId": usage.used.model,
        "ResourceName": usage.used.model,
        "ResourceType": "Model",
        "Tags": orjson.dumps(tags).decode(),
    }


def _of_meter(usage: UsedOn, price: MeterPrice, quantity: int, pico: int) -> dict[str, str]:
    measure, used = _MEASURES.get(price.meter, _TOKENS), usage.used
    meter = "accelerator_seconds" if price.meter == "accelerator_ms" else price.meter
    return _costs(amount_text(quantity * pico)) | {
        "ChargeCategory": "Usage",
        "ChargeFrequency": "Usage-Based",
        "ChargeDescription": f"{meter} of {used.model}",
        "ConsumedQuantity": _decimal(quantity, measure.consumed_digits),
        "ConsumedUnit": measure.consumed,
        "PricingQuantity": _decimal(quantity, measure.digits),
        "PricingUnit": measure.priced,
        "PricingCategory": "Standard",
        "ListUnitPrice": price.text(pico),
        "ContractedUnitPrice": price.text(pico),
        "SkuId": f"{used.model}/{meter}",
        "SkuMeter": meter,
        "SkuPriceId": f"{used.rate_card_id}/{used.model}/{meter}" if used.rate_card_id else "",
    }


def _of_rest(used: UsedAtPrice, pico: int) -> dict[str, str]:
    """Cost that no price of the card explains; the invoice has it as an adjustment."""
    return _costs(amount_text(pico)) | {
        "ChargeCategory": "Adjustment",
        "ChargeDescription": f"cost of {used.model} beside the prices of its rate card",
    }


def _costs(amount: str) -> dict[str, str]:
    return dict.fromkeys(("BilledCost", "EffectiveCost", "ContractedCost", "ListCost"), amount)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _decimal(count: int, digits: int) -> str:
    return f"{Decimal(count).scaleb(-digits).normalize():f}"
