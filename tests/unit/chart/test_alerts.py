"""Do the alerts ask for metrics that exist, and does the page say what to do about each?"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.metric_names import metric_names

ROOT = Path(__file__).resolve().parents[3]
ALERTS = [
    rule
    for group in yaml.safe_load((ROOT / "charts/mizzen/files/alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
FOREIGN = {"kube_deployment_status_replicas_available"}
each_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda rule: rule["alert"])


@each_alert
def test_an_alert_reads_metrics_that_the_programs_have(alert: dict[str, Any]) -> None:
    asked = set(re.findall(r"\b(?:mizzen|kube)_\w+", alert["expr"]))
    assert asked
    assert asked - FOREIGN <= metric_names()


@each_alert
def test_an_alert_names_its_section_of_the_runbook(alert: dict[str, Any]) -> None:
    page, _, anchor = alert["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^## (.+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor in [heading.lower() for heading in headings]
    assert anchor == alert["alert"].lower()


@each_alert
def test_words_of_an_alert_name_only_labels_that_its_expression_keeps(alert: dict[str, Any]) -> None:
    named = set(re.findall(r"\$labels\.(\w+)", " ".join(alert["annotations"].values())))
    kept = re.search(r"\bby \(([^)]*)\)", alert["expr"])
    assert kept is None or named <= {label.strip() for label in kept[1].split(",")}


def test_the_watch_of_a_kind_that_the_cluster_lacks_is_no_alarm() -> None:
    [alert] = [each for each in ALERTS if each["alert"] == "MizzenWatchesBreak"]
    assert 'reason!~"ended|not_found"' in alert["expr"], "LeaderWorkerSet and Kueue are looked for twice a minute"
