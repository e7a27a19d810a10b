"""An installation that was lost is restored elsewhere from its backup: the same key calls the same model."""

from pathlib import Path

import httpx
from mizzen_cli.local.backup import back_up
from mizzen_cli.local.restoring import restore
from support import doubling_model
from support.installation import Installation


def answer(installation: Installation, key: str) -> httpx.Response:
    question = doubling_model.question()
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=installation.context.gateway_url, headers=headers, trust_env=False) as client:
        return client.post(question.path, json=question.body)


def test_a_model_answers_the_same_key_after_a_restore(tmp_path: Path) -> None:
    (tmp_path / "lost").mkdir()
    lost = Installation(tmp_path / "lost")
    try:
        lost.up()
        doubling_model.push_version(lost, "champion", "one")
        doubling_model.deploy(lost, "champion")
        lost.wait(lambda: lost.ready(doubling_model.MODEL), "ready", 240.0)
        key = str(lost.api("POST", "keys", json={"name": "caller"}).json()["secret"])
        lost.wait(lambda: answer(lost, key).is_success, "an answer", 60.0)
        back_up(lost.folder, tmp_path / "saved.tar")
    finally:
        lost.close()
    (tmp_path / "found").mkdir()
    found = Installation(tmp_path / "found")
    restore(tmp_path / "saved.tar", found.options.data_dir, force=False)
    try:
        found.up()
        found.wait(lambda: answer(found, key).is_success, "an answer", 240.0)
        assert "double" in answer(found, key).text
    finally:
        found.close()
