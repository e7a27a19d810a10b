"""One version for all that is released together: packages, and the images that documents and examples name."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MEMBERS = sorted(path for path in ROOT.glob("*/pyproject.toml") if not path.parent.name.startswith("."))
NAMING_IMAGES = ("docs/how-to/install.md", "examples/cluster/values-trial.yaml")
IMAGE = re.compile(r"/mizzen/[\w$-]+:(\d[\w.-]*)")


def version_of(file: Path) -> str:
    """What a pyproject.toml calls its version."""
    found: str = tomllib.loads(file.read_text())["project"]["version"]
    return found


VERSION = version_of(ROOT / "pyproject.toml")


@pytest.mark.parametrize("file", MEMBERS, ids=lambda file: file.parent.name)
def test_every_member_has_the_version_of_the_product(file: Path) -> None:
    assert version_of(file) == VERSION


@pytest.mark.parametrize("name", NAMING_IMAGES)
def test_what_a_person_copies_names_images_of_this_version(name: str) -> None:
    named = IMAGE.findall((ROOT / name).read_text())
    assert named
    assert set(named) == {VERSION}


def test_no_release_that_was_kept_is_newer_than_this_version() -> None:
    kept = [folder.name.partition("-")[0] for folder in (ROOT / "tests" / "releases").iterdir() if folder.is_dir()]
    assert kept
    assert max(tuple(map(int, each.split("."))) for each in kept) <= tuple(map(int, VERSION.split(".")))
