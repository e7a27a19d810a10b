"""Uploads in parts: in any order, side by side, again; and only what changed of a version travels."""

import os
import random
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from support.pushing import announced, new_model, new_version, onnx_model, safetensors_file, upload

PART = 8 << 20
CONTENT = safetensors_file({"w": [(17 << 20) // 4]})  # 17 MiB and a head: three parts
FILES = {"model.safetensors": CONTENT}
SEED = int(os.environ.get("MIZZEN_SEED", secrets.randbelow(1 << 32)))


def put_part(admin: httpx.Client, version: str, offset: int, content: bytes = CONTENT) -> httpx.Response:
    sent = content[offset : offset + PART]
    return admin.put(f"{version}/parts/model.safetensors", params={"offset": offset}, content=sent)


def state(admin: httpx.Client, version: str) -> dict[str, Any]:
    found: dict[str, Any] = admin.get(f"{version}/parts/model.safetensors").json()
    return found


def a_version(admin: httpx.Client, project: str) -> str:
    return new_version(admin, new_model(admin, project, f"m-{secrets.token_hex(4)}"), FILES, "Safetensors")


def test_parts_come_in_any_order_side_by_side_and_again(admin: httpx.Client, project: str) -> None:
    print(f"MIZZEN_SEED={SEED}")
    version = a_version(admin, project)
    assert state(admin, version) == {
        "path": "model.safetensors", "size": len(CONTENT), "received": False, "part_bytes": PART, "ranges": [],
    }  # fmt: skip
    offsets = [0, 0, PART, 2 * PART]
    random.Random(SEED).shuffle(offsets)
    with ThreadPoolExecutor(4) as senders:
        answers = list(senders.map(lambda offset: put_part(admin, version, offset), offsets))
    told = [(answer.status_code, answer.status_code == 409 and answer.json()["code"]) for answer in answers]
    assert set(told) <= {(204, False), (409, "file_complete")}  # the second of the doubled one may come after the end
    assert state(admin, version)["received"] is True
    assert admin.post(f"{version}:finalize").json()["state"] == "READY"


def test_which_bytes_are_here_is_told_and_an_append_goes_on_from_the_gap(admin: httpx.Client, project: str) -> None:
    version = a_version(admin, project)
    assert put_part(admin, version, 2 * PART).status_code == 204
    assert state(admin, version)["ranges"] == [{"first": 2 * PART, "end": len(CONTENT)}]
    assert admin.head(f"{version}/files/model.safetensors").headers["Upload-Offset"] == "0"
    assert upload(admin, version, "model.safetensors", CONTENT[:PART]).headers["Upload-Offset"] == str(PART)
    assert put_part(admin, version, PART).status_code == 204
    assert admin.post(f"{version}:finalize").json()["state"] == "READY"


@pytest.mark.parametrize(
    ("offset", "content", "status", "code"),
    [
        (PART, b"short", 422, "wrong_part_length"),
        (PART, bytes(PART + 1), 422, "wrong_part_length"),
        (1, b"x", 422, "no_such_part"),
        (3 * PART, b"x", 422, "no_such_part"),
        (1 << 70, b"x", 422, "invalid"),
    ],
)
def test_what_is_no_part_is_refused(
    admin: httpx.Client, project: str, offset: int, content: bytes, status: int, code: str
) -> None:
    version = a_version(admin, project)
    refused = admin.put(f"{version}/parts/model.safetensors", params={"offset": offset}, content=content)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert state(admin, version)["ranges"] == []


def test_a_part_sent_without_a_length_counts_when_it_is_whole(admin: httpx.Client, project: str) -> None:
    version = a_version(admin, project)

    def send(content: bytes) -> httpx.Response:
        pieces = iter([content[:100], content[100:]])
        return admin.put(f"{version}/parts/model.safetensors", params={"offset": 0}, content=pieces)

    assert send(CONTENT[: PART - 1]).json()["code"] == "wrong_part_length"
    assert state(admin, version)["ranges"] == []
    assert send(CONTENT[:PART]).status_code == 204
    assert state(admin, version)["ranges"] == [{"first": 0, "end": PART}]


def test_a_tampered_part_is_found_at_the_last_one_and_all_are_sent_again(admin: httpx.Client, project: str) -> None:
    version = a_version(admin, project)
    tampered = CONTENT[:-1] + b"\x01"
    answers = [put_part(admin, version, offset, tampered) for offset in (0, PART, 2 * PART)]
    assert answers[-1].json()["code"] == "digest_mismatch"
    assert state(admin, version)["ranges"] == []


def test_a_version_that_changes_one_of_ten_files_wants_one(admin: httpx.Client, project: str) -> None:
    model = new_model(admin, project)
    files = {f"part-{number}.bin": os.urandom(100) for number in range(9)} | {"model.onnx": onnx_model()}
    version = new_version(admin, model, files)
    for path, content in files.items():
        assert admin.put(f"{version}/parts/{path}", params={"offset": 0}, content=content).status_code == 204
    files["part-3.bin"] = os.urandom(100)
    again = admin.post(f"{model}/versions", json={"format": "ONNX", "files": announced(files)}).json()
    assert [file["path"] for file in again["files"] if not file["received"]] == ["part-3.bin"]
