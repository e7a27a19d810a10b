"""What a release left on disk is taken up by this one: each kept data folder is started and asked for what it held."""

import shutil
from pathlib import Path

import pytest
from support.installation import Installation

RELEASES = sorted((Path(__file__).resolve().parents[1] / "releases").glob("*/data-folder.tar.gz"))


@pytest.mark.parametrize("archive", RELEASES, ids=lambda path: path.parent.name)
def test_the_data_folder_of_a_release_comes_back_to_the_same_state(archive: Path, tmp_path: Path) -> None:
    shutil.unpack_archive(archive, tmp_path / "data")  # without a filter: Python 3.11.2 knows none
    installation = Installation(tmp_path)
    try:
        installation.up()
        versions = installation.api("GET", "models/sentiment/versions").json()["items"]
        assert {(each["version"], each["state"]) for each in versions} == {(1, "READY"), (2, "READY")}
        keys = installation.api("GET", "keys").json()["items"]
        assert {key["priority"] for key in keys} == {"standard"}, "keys from before there were priorities"
        params = {"group_by": "model", "start": "2026-01-01T00:00:00Z"}
        usage = {row["model"]: row for row in installation.api("GET", "usage", params=params).json()["items"]}
        month = usage["sentiment"]["bucket_start"][:7]
        assert usage["sentiment"]["requests"] > 0
        assert float(installation.api("GET", f"invoices/{month}").json()["total"]) > 0
        installation.wait(lambda: installation.ready_pods("chat"), "the deployment of the release serves")
    finally:
        installation.close()
