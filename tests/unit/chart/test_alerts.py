"""Do the alerts ask for metrics that exist, and does the page say what to do about each?"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ALERTS = [
    rule
    for group in yaml.safe_load((ROOT / "charts/mizzen/files/alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
PROGRAMS = ("gateway", "controlplane", "operator")
DEFINED = re.compile(r"(Gauge|Counter|Histogram)(?:MetricFamily)?\(\s*f?\"(mizzen_\w+)")
FACT = re.compile(r"\"(\w+)\": float\(")
FOREIGN = {"kube_deployment_status_replicas_available"}
each_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda rule: rule["alert"])


def metrics() -> set[str]:
    """Names as Prometheus sees them, read from the programs' sources."""
    sources = [path.read_text() for name in PROGRAMS for path in sorted((ROOT / name / "src").rglob("*.py"))]
    found = {name + ("_total" if kind == "Counter" else "") for text in sources for kind, name in DEFINED.findall(text)}
    facts = (ROOT / "operator/src/mizzen_operator/operation.py").read_text().split("def _facts")[1].split("def ")[0]
    return found | {f"mizzen_operator_{name}" for name in FACT.findall(facts)}


@each_alert
def test_an_alert_reads_metrics_that_the_programs_have(alert: dict[str, Any]) -> None:
    asked = set(re.findall(r"\b(?:mizzen|kube)_\w+", alert["expr"]))
    assert asked
    assert asked - FOREIGN <= metrics()


@each_alert
def test_an_alert_has_a_line_in_the_runbook(alert: dict[str, Any]) -> None:
    assert f"| `{alert['alert']}` |" in (ROOT / "docs/how-to/alerts.md").read_text()


@each_alert
def test_words_of_an_alert_name_only_labels_that_its_expression_keeps(alert: dict[str, Any]) -> None:
    named = set(re.findall(r"\$labels\.(\w+)", " ".join(alert["annotations"].values())))
    kept = re.search(r"\bby \(([^)]*)\)", alert["expr"])
    assert kept is None or named <= {label.strip() for label in kept[1].split(",")}


def test_the_watch_of_a_kind_that_the_cluster_lacks_is_no_alarm() -> None:
    [alert] = [each for each in ALERTS if each["alert"] == "MizzenWatchesBreak"]
    assert 'reason!~"ended|not_found"' in alert["expr"], "LeaderWorkerSet and Kueue are looked for twice a minute"
