"""What does `mizzen` advise when the control plane does not answer? Only what helps there."""

import httpx
import pytest
from mizzen_cli.client import unreachable

GONE = httpx.ConnectError("refused")


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIZZEN_CONTROLPLANE_URL", raising=False)


def test_one_on_this_machine_is_started_by_mizzen_up() -> None:
    assert "start it with `mizzen up`" in str(unreachable("http://127.0.0.1:8470/", GONE))


def test_one_elsewhere_is_not() -> None:
    assert "mizzen up" not in str(unreachable("https://models.example.com", GONE))


def test_one_that_a_variable_names_is_not_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIZZEN_CONTROLPLANE_URL", "http://127.0.0.1:8470")
    told = str(unreachable("http://127.0.0.1:8470", GONE))
    assert "mizzen up" not in told
    assert "MIZZEN_CONTROLPLANE_URL names it" in told
    assert "port-forward" in told


def test_what_was_asked_of_a_server_that_falls_silent_may_have_been_done():
    late = httpx.ReadTimeout("late")
    assert "may have been done" in str(unreachable("http://127.0.0.1:8470", late, may_have_done=True))
    assert "may have been done" not in str(unreachable("http://127.0.0.1:8470", late))
    assert "may have been done" not in str(unreachable("http://127.0.0.1:8470", GONE, may_have_done=True))
