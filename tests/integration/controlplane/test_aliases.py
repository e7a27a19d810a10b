"""Aliases point at READY versions; of two admins who move one at once, one gets 412."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from support.pushing import new_model, new_version, onnx_model, push


@pytest.fixture
def model(admin: httpx.Client, project: str) -> str:
    url = new_model(admin, project)
    for width in (2, 3, 4):
        assert push(admin, url, {"model.onnx": onnx_model(width)})["state"] == "READY"
    return url


def test_an_alias_is_made_moved_and_removed(admin: httpx.Client, model: str) -> None:
    champion = f"{model}/aliases/champion"
    assert admin.put(champion, json={"version": 1}).status_code == 201
    assert admin.put(champion, json={"version": 2}).status_code == 200
    assert admin.get(f"{model}/versions/2").json()["aliases"] == ["champion"]
    in_use = admin.post(f"{model}/versions/2:archive")
    assert (in_use.status_code, in_use.json()["code"]) == (409, "version_in_use")
    assert admin.delete(champion).status_code == 204
    assert admin.get(champion).json()["code"] == "alias_not_found"
    assert admin.post(f"{model}/versions/2:archive").json()["state"] == "ARCHIVED"
    assert admin.put(champion, json={"version": 2}).json()["code"] == "version_not_ready"


def test_an_alias_cannot_point_at_a_version_that_is_not_ready(admin: httpx.Client, model: str) -> None:
    new_version(admin, model, {"model.onnx": onnx_model(9)})
    refused = admin.put(f"{model}/aliases/champion", json={"version": 4})
    assert (refused.status_code, refused.json()["code"]) == (409, "version_not_ready")
    assert admin.put(f"{model}/aliases/champion", json={"version": 5}).json()["code"] == "version_not_found"


def test_of_two_admins_who_move_an_alias_at_once_one_gets_412(admin: httpx.Client, model: str) -> None:
    champion = f"{model}/aliases/champion"
    for _round in range(5):
        etag = admin.put(champion, json={"version": 1}).headers["ETag"]
        with ThreadPoolExecutor(2) as pool:
            moving = [
                pool.submit(admin.put, champion, json={"version": number}, headers={"If-Match": etag})
                for number in (2, 3)
            ]
            moved = [future.result() for future in moving]
        assert sorted(answer.status_code for answer in moved) == [200, 412]
        winner = next(answer for answer in moved if answer.status_code == 200)
        assert admin.get(champion).json()["version"] == winner.json()["version"]
