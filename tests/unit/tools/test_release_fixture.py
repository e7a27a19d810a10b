"""What a release left behind is written once."""

from pathlib import Path

import pytest
import release_fixture


def test_a_release_that_is_there_is_not_written_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "1.0.0" / "crds" / "projects.mizzen.dev.yaml"
    kept.parent.mkdir(parents=True)
    kept.write_text("as released")
    again = ("--name", "1.0.0", "--only", "definitions")
    assert release_fixture.main(again, tmp_path) == 2
    assert "1.0.0 has crds already" in capsys.readouterr().err
    assert kept.read_text() == "as released"
    assert release_fixture.main((*again, "--rewrite"), tmp_path) == 0
    assert kept.read_text() != "as released"


def test_another_part_and_another_name_are_taken(tmp_path: Path) -> None:
    assert release_fixture.main(("--name", "1.0.0", "--only", "definitions"), tmp_path) == 0
    assert release_fixture.main(("--name", "1.0.0", "--only", "chart"), tmp_path) == 0
    assert release_fixture.main(("--name", "1.0.0-rc.1", "--only", "chart"), tmp_path) == 0
