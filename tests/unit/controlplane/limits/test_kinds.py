"""Which kinds of limits and budgets are kept, which are refused, and how gateways and older releases learn of them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from mizzen_controlplane.access.snapshot import build_snapshot
from mizzen_controlplane.budgets.schemas import BudgetCreate, BudgetPatch
from mizzen_controlplane.budgets.service import create_budget, patch_budget
from mizzen_controlplane.cluster.projects import CLUSTER
from mizzen_controlplane.identity.projects import follow
from mizzen_controlplane.identity.repository import find_project
from mizzen_controlplane.kit.database import reading
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Invalid
from mizzen_controlplane.kit.tables import SchemaFloor
from mizzen_controlplane.limits.declared import answer_about, follow_declaration
from mizzen_controlplane.limits.declared_entries import Declaration
from mizzen_controlplane.limits.schemas import LimitCreate, LimitPatch
from mizzen_controlplane.limits.service import create_limit, patch_limit
from mizzen_controlplane.schema import upgrade
from mizzen_crds import access, held_limits
from mizzen_crds.access import AccessSnapshot
from mizzen_crds.project_limits import LimitsState
from support.embedded_plane import embedded_plane

HELD = {
    "HELD_METRICS": access.LimitMetric,
    "HELD_SCOPES": access.Scope,
    "HELD_UNITS": access.BudgetUnit,
    "HELD_WINDOWS": access.BudgetWindow,
    "HELD_HARDNESS": access.Hardness,
    "HELD_ON_STORE_LOSS": access.OnStoreLoss,
}


@pytest.fixture
async def plane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Plane]:
    """With a project `team`, and gateways that hold every kind."""
    for name, kinds in HELD.items():
        monkeypatch.setattr(held_limits, name, frozenset(kinds))
    async with embedded_plane(tmp_path) as made:
        await follow(made, CLUSTER, "team", "team", allow_code=False)
        yield made


async def limit(plane: Plane, **fields: Any) -> None:
    await create_limit(plane, CLUSTER, fields.pop("project", "team"), LimitCreate(name="one", **fields))


async def budget(plane: Plane, **fields: Any) -> None:
    await create_budget(plane, CLUSTER, fields.pop("project", "team"), BudgetCreate(name="one", **fields))


async def snapshot(plane: Plane) -> AccessSnapshot:
    async with reading(plane.database) as session:
        return await build_snapshot(session, plane.organization_id, datetime.now(UTC))


async def floor(plane: Plane) -> str:
    async with reading(plane.database) as session:
        found = await session.get(SchemaFloor, 1)
    assert found is not None
    return found.revision


FURTHER: Final = (
    ({"metric": "input_tokens", "amount": 7}, ("input_tokens", 7, 60)),
    ({"metric": "output_tokens", "amount": 7, "window_seconds": 5}, ("output_tokens", 7, 5)),
    ({"metric": "concurrency", "amount": 7}, ("concurrency", 7, 0)),
    ({"metric": "cost", "cost": "0.5"}, ("cost", 5 * 10**11, 60)),
)


async def test_a_gateway_learns_of_further_metrics_where_earlier_ones_do_not_look(plane: Plane) -> None:
    for number, (fields, _) in enumerate(FURTHER):
        await create_limit(plane, CLUSTER, "team", LimitCreate(name=f"l{number}", on_store_loss="allow", **fields))
    seen = await snapshot(plane)
    found = [(each.metric, each.amount, each.window_seconds) for each in seen.further_limits]
    assert found == [meant for _, meant in FURTHER]
    assert {each.on_store_loss for each in seen.further_limits} == {"allow"}
    assert not seen.limits


async def test_end_users_are_counted_each_on_its_own_in_a_project_or_in_all(plane: Plane) -> None:
    for project in ("team", None):
        await limit(plane, project=project, scope="user", metric="requests", amount=1)
    seen = await snapshot(plane)
    team = next(each.id for each in seen.projects if each.name == "team")
    found = [(each.scope, each.scope_id) for each in seen.further_limits]
    assert found == [("user", team), ("user", plane.organization_id)]


async def test_a_model_is_known_to_gateways_by_its_name_in_full(plane: Plane) -> None:
    await limit(plane, scope="model", model="chat", metric="requests", amount=1)
    await budget(plane, scope="model", model="chat", unit="tokens", amount="1000")
    seen = await snapshot(plane)
    assert [(each.scope_id, each.model) for each in seen.further_limits] == [("team/chat", None)]
    assert [(each.scope_id, each.model) for each in seen.further_budgets] == [("team/chat", None)]


MISFITS: Final = (
    ({"metric": "cost", "amount": 5}, "/amount"),
    ({"metric": "cost"}, "/cost"),
    ({"metric": "cost", "cost": "0"}, "/cost"),
    ({"metric": "requests", "cost": "5"}, "/cost"),
    ({"metric": "requests"}, "/amount"),
    ({"metric": "concurrency", "amount": 1, "window_seconds": 60}, "/window_seconds"),
    ({"metric": "requests", "amount": 1, "scope": "model"}, "/model"),
    ({"metric": "requests", "amount": 1, "scope": "model", "model": "other/chat"}, "/model"),
    ({"metric": "requests", "amount": 1, "scope": "model", "model": "chat", "key": "k"}, "/key"),
    ({"metric": "requests", "amount": 1, "scope": "model", "model": "chat", "project": None}, "/scope"),
)
MISFITS_OF_BUDGETS: Final = (
    ({"amount": "1", "window": "rolling"}, "/window_seconds"),
    ({"amount": "1", "window": "day", "window_seconds": 900}, "/window_seconds"),
    ({"amount": "1.5", "unit": "tokens"}, "/amount"),
    ({"amount": "1", "scope": "user"}, "/scope"),
    ({"amount": "1", "unit": "accelerator_seconds"}, "/hardness"),
)


async def test_what_does_not_fit_together_is_refused_at_the_field(plane: Plane) -> None:
    for kind, misfits in ((limit, MISFITS), (budget, MISFITS_OF_BUDGETS)):
        for fields, pointer in misfits:
            with pytest.raises(Invalid) as refused:
                await kind(plane, **fields)
            assert [mistake.pointer for mistake in refused.value.errors] == [pointer], fields


async def test_a_change_that_does_not_fit_the_metric_is_refused(plane: Plane) -> None:
    await limit(plane, metric="cost", cost="5.00")
    with pytest.raises(Invalid, match="change cost"):
        await patch_limit(plane, CLUSTER, "team", "one", LimitPatch(amount=5), None)
    changed = await patch_limit(plane, CLUSTER, "team", "one", LimitPatch(cost="6.00"), None)
    assert changed.amount == 6 * 10**12


async def test_a_budget_of_accelerator_seconds_does_not_become_hard(plane: Plane) -> None:
    await budget(plane, amount="1", unit="accelerator_seconds", hardness="soft")
    with pytest.raises(Invalid, match="soft only, since nothing bounds"):
        await patch_budget(plane, CLUSTER, "team", "one", BudgetPatch(hardness="hard"), None)
    changed = await patch_budget(plane, CLUSTER, "team", "one", BudgetPatch(amount="2"), None)
    assert changed.amount == "2"


UNHELD: Final = (
    ("HELD_METRICS", limit, {"metric": "concurrency", "amount": 1}, "'concurrency'"),
    ("HELD_SCOPES", limit, {"metric": "requests", "amount": 1, "scope": "user"}, "'user'"),
    ("HELD_ON_STORE_LOSS", limit, {"metric": "requests", "amount": 1, "on_store_loss": "allow"}, "'allow'"),
    ("HELD_UNITS", budget, {"amount": "1", "unit": "tokens"}, "'tokens'"),
    ("HELD_WINDOWS", budget, {"amount": "1", "window": "lifetime"}, "'lifetime'"),
    ("HELD_HARDNESS", budget, {"amount": "1", "hardness": "soft"}, "'soft'"),
)


async def test_what_no_gateway_holds_is_refused_by_name(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    for held, kind, fields, named in UNHELD:
        monkeypatch.setattr(held_limits, held, frozenset(list(HELD[held])[:1]))
        with pytest.raises(Invalid, match=named):
            await kind(plane, **fields)
        monkeypatch.setattr(held_limits, held, frozenset(HELD[held]))


async def test_the_first_kinds_leave_the_way_back_open_and_a_further_one_closes_it_for_good(plane: Plane) -> None:
    await limit(plane, metric="tokens", amount=5)
    await budget(plane, amount="1")
    assert await floor(plane) == "0001"
    await create_budget(plane, CLUSTER, "team", BudgetCreate(name="two", amount="1", window="day"))
    assert await floor(plane) == "0004"
    await upgrade(plane.database)
    assert await floor(plane) == "0004"


async def test_a_project_object_declares_every_kind(plane: Plane) -> None:
    limits = (
        {"name": "a", "metric": "Concurrency", "amount": 4, "windowSeconds": 60},
        {"name": "b", "metric": "Cost", "cost": "5.00", "scope": "User", "onStoreLoss": "Allow"},
        {"name": "c", "metric": "InputTokens", "amount": 9, "scope": "Model", "model": "chat"},
    )
    budgets = (
        {
            "name": "a",
            "amount": "3600",
            "unit": "AcceleratorSeconds",
            "window": "Rolling",
            "windowSeconds": 86400,
            "hardness": "Soft",
        },
        {"name": "b", "amount": "5", "hardness": "Soft", "window": "Lifetime"},
    )
    for generation in (1, 2):
        await follow_declaration(plane, CLUSTER, "team", Declaration("u", generation, limits, budgets, made_here=False))
        answer = await answer_about(plane, "team", "u", generation)
        assert answer.state is LimitsState.IN_FORCE, answer.message
    seen = await snapshot(plane)
    assert [(each.metric, each.scope, each.window_seconds) for each in seen.further_limits] == [
        ("concurrency", "project", 0), ("cost", "user", 60), ("input_tokens", "model", 60),
    ]  # fmt: skip
    assert [(each.unit, each.window, each.window_seconds, each.hardness) for each in seen.further_budgets] == [
        ("accelerator_seconds", "rolling", 86400, "soft"), ("money", "lifetime", 0, "soft"),
    ]  # fmt: skip
    async with reading(plane.database) as session:
        assert await find_project(session, plane.organization_id, "team") is not None
