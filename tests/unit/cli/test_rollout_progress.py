"""When is a deployment done? Its newest spec was seen, it is Ready, and nothing is under way."""

import io

import pytest
from mizzen_cli.observation import current_conditions
from mizzen_cli.rollout_progress import phase_text, settled, with_bar
from rich.console import Console
from rich.text import Text


def deployment(*conditions: tuple[str, str], observed: int = 2) -> dict[str, object]:
    """A deployment of generation 2."""
    listed = [{"type": kind, "status": status} for kind, status in conditions]
    status = {"observedGeneration": observed, "conditions": listed}
    return {"manifest": {"metadata": {"generation": 2}, "status": status}}


@pytest.mark.parametrize(
    ("seen", "done"),
    [
        (deployment(("Ready", "True")), True),
        (deployment(("Ready", "True"), observed=1), False),
        (deployment(("Ready", "False")), False),
        (deployment(("Ready", "Unknown")), False),
        (deployment(("Ready", "True"), ("Reconciling", "True")), False),
        (deployment(("Ready", "True"), ("Stalled", "True")), False),
        (deployment(), False),
        ({"manifest": {"metadata": {"generation": 1}}}, False),
    ],
)
def test_done_is_ready_for_the_newest_spec_with_nothing_under_way(seen: dict[str, object], done: bool) -> None:
    assert settled(seen) is done


def test_a_condition_of_an_older_spec_says_nothing_about_the_newest() -> None:
    seen = deployment(("Ready", "True"))
    manifest = seen["manifest"]
    assert isinstance(manifest, dict)
    manifest["status"]["conditions"][0]["observedGeneration"] = 1
    assert current_conditions(manifest) == {}
    assert settled(seen) is False


def test_phases_are_one_line_and_tell_how_far_a_fetch_is() -> None:
    phases = [{"name": "fetch", "seconds": 2, "bytesDone": 1, "bytesTotal": 3}, {"name": "load", "seconds": 0.5}]
    assert phase_text({"startup": {"phases": phases}}) == "fetch 2.0 s 33%, load 0.5 s"
    assert phase_text({}) == ""


def test_a_bar_stands_beside_the_text_while_weights_are_fetched() -> None:
    console = Console(width=100, file=io.StringIO(), record=True)
    fetching = {"name": "fetch", "seconds": 2, "bytesDone": 2**20, "bytesTotal": 4 * 2**20}
    console.print(with_bar(Text("chat: Starting"), {"startup": {"phases": [fetching]}}))
    assert "1.0 MiB of 4.0 MiB" in console.export_text()
    assert with_bar(Text("chat: Starting"), {}) == Text("chat: Starting")
