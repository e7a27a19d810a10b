"""A gateway of an earlier release reads the snapshot of this one: what it does not know costs it nothing else."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from mizzen_crds.access import (
    AccessSnapshot,
    BudgetAccess,
    BudgetUnit,
    BudgetWindow,
    Hardness,
    LimitAccess,
    LimitMetric,
    OnStoreLoss,
    Price,
    Scope,
)

WHEEL = Path(__file__).parents[2] / "releases/0.1.0/wheels/mizzen_crds-0.1.0-py3-none-any.whl"
READS = """
import sys
sys.path.insert(0, sys.argv[1])
import mizzen_crds.access as access
assert sys.argv[1] in access.__file__, access.__file__
snapshot = access.AccessSnapshot.model_validate_json(sys.stdin.read())
print([limit.id for limit in snapshot.limits], [budget.id for budget in snapshot.budgets], len(snapshot.prices))
"""
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def a_limit(name: str, **fields: object) -> LimitAccess:
    base = {"scope": Scope.PROJECT, "scope_id": "prj_a", "metric": LimitMetric.REQUESTS, "window_seconds": 60}
    return LimitAccess.model_validate({"id": name, "name": name, "amount": 1, **base, **fields})


def a_budget(name: str, **fields: object) -> BudgetAccess:
    base = {"scope": Scope.PROJECT, "scope_id": "prj_a", "amount_pico": 1, "period_start": NOW, "period_end": NOW}
    return BudgetAccess.model_validate({"id": name, "name": name, **base, **fields})


def test_the_first_release_reads_a_snapshot_with_everything_in_it():
    snapshot = AccessSnapshot(
        version=1,
        organization_id="org_a",
        currency="EUR",
        projects=[],
        keys=[],
        limits=[a_limit("lim_old", on_store_loss=OnStoreLoss.ALLOW)],
        budgets=[a_budget("bud_old", window=BudgetWindow.WEEK)],
        prices=[Price(rate_card_id="rcv_a", model="*", pico_per_cached_token=1, pico_per_accelerator_ms=2)],
        further_limits=[
            a_limit("lim_new", scope=Scope.USER, metric=metric, window_seconds=0) for metric in LimitMetric
        ],
        further_budgets=[
            a_budget("bud_new", scope=Scope.MODEL, unit=unit, hardness=Hardness.SOFT) for unit in BudgetUnit
        ],
    )
    answer = subprocess.run(
        [sys.executable, "-c", READS, str(WHEEL)], input=snapshot.model_dump_json(), capture_output=True, text=True
    )
    assert answer.stdout == "['lim_old'] ['bud_old'] 1\n", answer.stderr
