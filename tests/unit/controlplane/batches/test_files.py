"""The rules of kept files."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from mizzen_controlplane.batches import files
from mizzen_controlplane.batches.upkeep import remove_expired
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.problem import Forbidden, NotFound, Problem, Unauthorized
from mizzen_crds.kept_files import FileBegin, FileEnd
from support.embedded_plane import embedded_plane
from support.kept_files import keeping_plane, kept, new_owner, read

LINES = (b'{"a": 1}\n{"b": 2}\n', b'\n{"c": "a secret of ours"}')


async def test_a_file_is_what_was_sent_and_the_database_does_not_tell(tmp_path: Path) -> None:
    async with keeping_plane(tmp_path) as (plane, owner):
        file = await kept(plane, owner, *LINES)
        assert (file.size, file.lines) == (len(b"".join(LINES)), 3)
        assert await read(plane, owner, file.id) == b"".join(LINES)
    with closing(sqlite3.connect(tmp_path / "controlplane.db")) as database:
        pieces = [row[0] for row in database.execute("SELECT sealed FROM file_piece")]
    assert len(pieces) == 2
    assert b"secret" not in b"".join(pieces)


async def test_without_a_key_nothing_is_kept_and_it_is_said_how_to_switch_it_on(tmp_path: Path) -> None:
    async with embedded_plane(tmp_path) as plane:
        owner = await new_owner(plane, "team-a")
        with pytest.raises(Forbidden) as refused:
            await files.begin(plane, owner, FileBegin(filename="x"))
    assert refused.value.problem_code == "not_offered"
    assert "files-key" in refused.value.detail


async def test_another_tenant_is_told_what_is_told_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    async with keeping_plane(tmp_path) as (plane, owner):
        file = await kept(plane, owner, *LINES)
        other = await new_owner(plane, "team-b")
        for call in (files.get, files.delete):
            with pytest.raises(NotFound) as foreign:
                await call(plane, other, file.id)
            with pytest.raises(NotFound) as unknown:
                await call(plane, other, "file_of_nobody")
            told = unknown.value.detail.replace("file_of_nobody", file.id)
            assert (foreign.value.problem_code, foreign.value.detail) == ("file_not_found", told)
        assert (await files.listed(plane, other, "", "", 10, descending=True)).data == []
        assert await read(plane, owner, file.id)


async def test_limits_are_named_with_their_settings(tmp_path: Path) -> None:
    async with keeping_plane(tmp_path, files_max_bytes=20, files_project_bytes=30, files_days=1) as (plane, owner):
        for pieces, seconds, setting in (
            ((b"x" * 21,), None, "MIZZEN_FILES_MAX_BYTES"),
            ((b"x" * 10, b"y" * 11), None, "MIZZEN_FILES_MAX_BYTES"),
            ((b"x",), 86_401, "MIZZEN_FILES_DAYS"),
            ((b"x",), 60, "3600"),
        ):
            with pytest.raises(Problem, match=setting):
                await kept(plane, owner, *pieces, seconds=seconds)
        await kept(plane, owner, b"x" * 18)
        with pytest.raises(Problem, match="MIZZEN_FILES_PROJECT_BYTES"):
            await kept(plane, owner, b"x" * 20)


async def test_a_piece_may_be_sent_again_and_none_may_be_missing(tmp_path: Path) -> None:
    async with keeping_plane(tmp_path) as (plane, owner):
        begun = await files.begin(plane, owner, FileBegin(filename="x"))
        for text in (b"first\n", b"again\n"):
            await files.put_piece(plane, owner, begun.id, 0, text)
        with pytest.raises(Problem, match="1 pieces came, 2 were sent"):
            await files.complete(plane, owner, begun.id, FileEnd(pieces=2))
        with pytest.raises(NotFound):
            await files.get(plane, owner, begun.id)
        await files.complete(plane, owner, begun.id, FileEnd(pieces=1))
        assert await read(plane, owner, begun.id) == b"again\n"


async def test_a_file_and_an_upload_that_was_left_are_removed_when_their_time_is_over(tmp_path: Path) -> None:
    async with keeping_plane(tmp_path) as (plane, owner):
        file = await kept(plane, owner, *LINES, seconds=7200)
        await files.begin(plane, owner, FileBegin(filename="left"))
        now = utc_now()
        assert await remove_expired(plane, now + timedelta(minutes=59)) == 0
        assert await remove_expired(plane, now + timedelta(minutes=61)) == 1
        assert await read(plane, owner, file.id)
        assert await remove_expired(plane, now + timedelta(hours=3)) == 1
        with pytest.raises(NotFound):
            await files.get(plane, owner, file.id)
    with closing(sqlite3.connect(tmp_path / "controlplane.db")) as database:
        assert database.execute("SELECT count(*) FROM file_piece").fetchone() == (0,)


async def test_a_key_that_is_not_the_projects_begins_nothing(tmp_path: Path) -> None:
    async with keeping_plane(tmp_path) as (plane, owner):
        other = await new_owner(plane, "team-b")
        with pytest.raises(Unauthorized):
            await files.begin(plane, files.Owner(owner.project_id, other.key_id), FileBegin(filename="x"))


async def test_lists_go_from_page_to_page_in_either_order(tmp_path: Path) -> None:
    async with keeping_plane(tmp_path) as (plane, owner):
        ids = [(await kept(plane, owner, b"{}")).id for _ in range(3)]
        first = await files.listed(plane, owner, "batch", "", 2, descending=True)
        assert ([one.id for one in first.data], first.has_more) == ([ids[2], ids[1]], True)
        second = await files.listed(plane, owner, "batch", first.last_id or "", 2, descending=True)
        assert ([one.id for one in second.data], second.has_more) == ([ids[0]], False)
        ascending = await files.listed(plane, owner, "", "", 10, descending=False)
        assert [one.id for one in ascending.data] == ids
