"""Builders of access snapshots: one project, one key, and whatever limits, budgets and prices a test names."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

from mizzen_crds.access import (
    AccessSnapshot,
    BudgetAccess,
    Enforcement,
    KeyAccess,
    LimitAccess,
    LimitMetric,
    Price,
    ProjectAccess,
    Scope,
)

PEPPER = b"0f" * 32
PUBLIC = "abcdefghij234567klmn"
SECRET = "S" * 43
KEY = f"mzk_{PUBLIC}_{SECRET}"
KEY_ID = f"key_{PUBLIC}"


def digest(secret: str = SECRET) -> str:
    """Digest of a secret, as the control plane stores it."""
    return hmac.new(PEPPER, secret.encode(), hashlib.sha256).hexdigest()


def a_key(key_id: str = KEY_ID, **fields: object) -> KeyAccess:
    """A key of project prj_a."""
    return KeyAccess(**{"id": key_id, "digest": digest(), "project_id": "prj_a", **fields})


def a_limit(amount: int, metric: LimitMetric = LimitMetric.REQUESTS, **fields: object) -> LimitAccess:
    """A limit a minute on the project."""
    defaults = {"id": "lim_a", "name": "per-minute", "scope": Scope.PROJECT, "scope_id": "prj_a", "window_seconds": 60}
    return LimitAccess(**{**defaults, "metric": metric, "amount": amount, **fields})


def a_budget(amount_pico: int, **fields: object) -> BudgetAccess:
    """A budget of the project for the day."""
    now = datetime.now(UTC)
    defaults = {
        "id": "bud_a",
        "name": "monthly",
        "scope": Scope.PROJECT,
        "scope_id": "prj_a",
        "period_start": now - timedelta(days=1),
        "period_end": now + timedelta(days=1),
    }
    return BudgetAccess(**{**defaults, "amount_pico": amount_pico, **fields})


def a_price(**fields: object) -> Price:
    """A price for every model."""
    return Price(**{"rate_card_id": "rcv_a", "model": "*", **fields})


def a_snapshot(version: int = 1, **fields: object) -> AccessSnapshot:
    """A snapshot with one project and one key."""
    defaults: dict[str, object] = {
        "organization_id": "org_a",
        "currency": "EUR",
        "projects": [ProjectAccess(id="prj_a", name="default", namespace="default")],
        "keys": [a_key()],
        "limits": [],
        "budgets": [],
        "prices": [],
    }
    return AccessSnapshot(version=version, **{**defaults, **fields})


__all__ = ["KEY", "KEY_ID", "PEPPER", "Enforcement", "LimitMetric", "Scope"]
