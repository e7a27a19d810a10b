"""What the environment says of more requests than engines can answer."""

from pathlib import Path

import pytest
from mizzen_gateway.overload.rules import OverloadRules
from mizzen_gateway.settings import Settings, SettingsError, read_settings
from support.gateway import gateway_environment


def read(folder: Path, **variables: str) -> Settings:
    return read_settings(gateway_environment(folder, **variables))


def test_capacity_is_measured_unless_said_otherwise(tmp_path: Path) -> None:
    assert read(tmp_path).overload == OverloadRules(on=True, replica_requests=0, queue_seconds=2.0)


def test_it_can_be_set_and_switched_off(tmp_path: Path) -> None:
    more = {"MIZZEN_OVERLOAD": "off", "MIZZEN_REPLICA_REQUESTS": "64", "MIZZEN_QUEUE_SECONDS": "0.5"}
    assert read(tmp_path, **more).overload == OverloadRules(on=False, replica_requests=64, queue_seconds=0.5)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("MIZZEN_OVERLOAD", "on"), ("MIZZEN_REPLICA_REQUESTS", "-1"), ("MIZZEN_QUEUE_SECONDS", "soon")],
)
def test_what_makes_no_sense_is_refused_by_name(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        read(tmp_path, **{variable: value})


def test_gateways_that_have_company_look_at_the_gauges_of_engines(tmp_path: Path) -> None:
    assert read(tmp_path).engine_gauges_seconds == 0
    several = {"MIZZEN_WORKERS": "2", "MIZZEN_LIMITS_STORE": "redis://127.0.0.1:1"}
    assert read(tmp_path, **several).engine_gauges_seconds == 5
