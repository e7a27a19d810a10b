"""Does the dashboard ask for metrics that exist, by labels and variables that it has?"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.metric_names import metric_names

ROOT = Path(__file__).resolve().parents[3]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "charts/mizzen/files/dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
VARIABLES = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
OF_GRAFANA = {"__rate_interval"}
WANTED = (
    "requests_total",
    "errors_total",
    "refused_total",
    "tokens_total",
    "first_byte_seconds_bucket",
    "time_per_output_token_seconds_bucket",
    "in_flight",
    "waiting",
    "parked",
    "shed_total",
    "over_limit_total",
    "spool_bytes",
    "snapshot_age_seconds",
    "endpoint_healthy",
)


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_reads_metrics_that_the_programs_have(query: str) -> None:
    asked = set(re.findall(r"\bmizzen_\w+", query))
    assert asked
    assert asked <= metric_names()
    assert set(re.findall(r"\$(\w+)", query)) <= VARIABLES | OF_GRAFANA


def test_variables_ask_for_metrics_that_there_are() -> None:
    asked = {name for one in DASHBOARD["templating"]["list"] for name in re.findall(r"mizzen_\w+", str(one))}
    assert asked
    assert asked <= metric_names()


def test_a_legend_names_only_labels_that_its_query_keeps() -> None:
    for panel in PANELS:
        for target in panel["targets"]:
            named = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            kept = {
                label.strip() for found in re.findall(r"by \(([^)]*)\)", target["expr"]) for label in found.split(",")
            }
            assert named <= kept, target


def test_panels_have_titles_of_their_own_units_and_a_place() -> None:
    titles = [panel["title"] for panel in DASHBOARD["panels"]]
    assert len(set(titles)) == len(titles)
    assert all(panel["fieldConfig"]["defaults"]["unit"] for panel in PANELS)
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"${datasource}"}
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)


def test_what_those_who_run_gateways_ask_first_is_there() -> None:
    shown = " ".join(QUERIES)
    for name in WANTED:
        assert f"mizzen_gateway_{name}" in shown
