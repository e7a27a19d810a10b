"""The health check that we ship for Argo CD, run by a Lua interpreter on statuses recorded from a real cluster."""

from pathlib import Path
from typing import Any

import lupa.lua51
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = ROOT / "examples" / "gitops" / "argocd-cm.yaml"
RECORDED = Path(__file__).parent / "recorded"
PREFIX = "resource.customizations.health.mizzen.dev_"
CASES = sorted(RECORDED.glob("*.yaml"), key=lambda path: path.stem)


def checks() -> dict[str, str]:
    """Kind -> Lua."""
    data = yaml.safe_load(SHIPPED.read_text())["data"]
    return {name.removeprefix(PREFIX): text for name, text in data.items()}


def health(manifest: dict[str, Any]) -> tuple[str, str]:
    """Status and message, as Argo CD gets them: `obj` is the object, and there are no libraries but the basic ones."""
    lua = lupa.lua51.LuaRuntime(unpack_returned_tuples=True, register_eval=False)
    lua.execute("os, io, package, require, debug = nil")
    lua.globals().obj = lua.table_from(manifest, recursive=True)
    said = lua.execute(checks()[manifest["kind"]])
    return said.status, said.message


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_recorded_status_has_this_health(path: Path) -> None:
    case = yaml.safe_load(path.read_text())
    status, message = health(case["object"])
    assert (status, message) == (case["health"]["status"], case["health"]["message"])


def test_every_health_is_recorded() -> None:
    seen = {yaml.safe_load(path.read_text())["health"]["status"] for path in CASES}
    assert seen == {"Progressing", "Healthy", "Suspended", "Degraded"}


def test_every_kind_with_a_status_has_the_check() -> None:
    assert set(checks()) == {"ModelDeployment", "ModelRoute", "Project", "AcceleratorClass"}
    assert len(set(checks().values())) == 1


def test_a_status_of_the_generation_before_is_progress() -> None:
    ready = {"type": "Ready", "status": "True", "reason": "Available"}
    for status in (None, {}, {"observedGeneration": -1}, {"observedGeneration": 1, "conditions": [ready]}):
        manifest = {"kind": "ModelDeployment", "metadata": {"generation": 2}, "spec": {}, "status": status}
        assert health(manifest)[0] == "Progressing"
