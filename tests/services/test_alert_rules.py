"""Alerts fire when they should and keep silent else: held to Prometheus' own tool, from Debian's package."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.debian_programs import unpacked

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "charts" / "mizzen" / "files"
CASES = Path(__file__).parent / "alert_rules.yaml"
VALUES = {"$__rate_interval": "5m", "$model": ".*", "$project": ".*"}
"""What Grafana puts in the place of variables."""


@pytest.fixture(scope="module")
def promtool() -> Path:
    """The program."""
    return unpacked("prometheus") / "usr" / "bin" / "promtool"


def told(*command: str | Path) -> str:
    """What it says; fails where it finds something wrong."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_rules_are_rules(promtool: Path) -> None:
    assert "SUCCESS" in told(promtool, "check", "rules", FILES / "alerts.yaml")


def test_each_alert_fires_when_it_should_and_keeps_silent_else(promtool: Path, tmp_path: Path) -> None:
    shutil.copy(FILES / "alerts.yaml", tmp_path)
    shutil.copy(CASES, tmp_path)
    assert "SUCCESS" in told(promtool, "test", "rules", tmp_path / CASES.name)


def test_every_alert_has_both_cases() -> None:
    rules = [rule["alert"] for group in _read(FILES / "alerts.yaml")["groups"] for rule in group["rules"]]
    tried = [
        (one["alertname"], bool(one["exp_alerts"])) for case in _read(CASES)["tests"] for one in case["alert_rule_test"]
    ]
    assert sorted(tried) == sorted((name, fires) for name in rules for fires in (False, True))


def test_every_query_of_the_dashboard_is_one(promtool: Path, tmp_path: Path) -> None:
    panels = json.loads((FILES / "dashboard.json").read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    rules = [{"record": f"query:{number}", "expr": _as_grafana_sends(one)} for number, one in enumerate(queries)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"SUCCESS: {len(queries)} rules found" in told(promtool, "check", "rules", file)


def _as_grafana_sends(query: str) -> str:
    return re.sub(r"\$\w+", lambda found: VALUES[found[0]], query)


def _read(path: Path) -> dict[str, Any]:
    held: dict[str, Any] = yaml.safe_load(path.read_text())
    return held
