"""The package `openai`, unmodified: files, kept by a real control plane behind a gateway."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import openai
import pytest
from support.controlplane import ControlPlane, sqlite_controlplane
from support.gateway_of_plane import gateway_of, new_key
from support.until import until

LINE = b'{"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "chat"}}\n'
LONG = LINE * 40_000


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with sqlite_controlplane(tmp_path_factory.mktemp("plane")) as found:
        yield found


@asynccontextmanager
async def callers(plane: ControlPlane, folder: Path) -> AsyncIterator[tuple[openai.AsyncOpenAI, openai.AsyncOpenAI]]:
    """Two tenants' clients."""
    secrets = [new_key(plane, plane.new_project())[1] for _ in range(2)]
    async with gateway_of(plane, folder / "gw") as gateway:
        await until(lambda: gateway.why_not_ready() is None)
        url = f"http://127.0.0.1:{gateway.port}/v1"
        async with (
            openai.AsyncOpenAI(base_url=url, api_key=secrets[0], max_retries=0) as one,
            openai.AsyncOpenAI(base_url=url, api_key=secrets[1], max_retries=0) as other,
        ):
            yield one, other


async def test_files_are_kept_listed_read_and_deleted(plane: ControlPlane, tmp_path: Path) -> None:
    async with callers(plane, tmp_path) as (one, other):
        made = await one.files.create(file=("requests.jsonl", LONG), purpose="batch")
        assert (made.object, made.bytes, made.filename, made.purpose) == ("file", len(LONG), "requests.jsonl", "batch")
        assert (await one.files.retrieve(made.id)) == made
        assert [file.id async for file in one.files.list(purpose="batch")] == [made.id]
        assert (await one.files.content(made.id)).content == LONG

        assert [file.id async for file in other.files.list()] == []
        for foreign in (other.files.retrieve(made.id), other.files.content(made.id), other.files.delete(made.id)):
            with pytest.raises(openai.NotFoundError) as refused:
                await foreign
            assert refused.value.code == "file_not_found"

        assert (await one.files.delete(made.id)).deleted
        with pytest.raises(openai.NotFoundError):
            await one.files.retrieve(made.id)


async def test_what_is_no_file_for_a_batch_is_refused_by_name(plane: ControlPlane, tmp_path: Path) -> None:
    async with callers(plane, tmp_path) as (one, _):
        soon = {"anchor": "created_at", "seconds": 60}
        for asked, param in (
            (one.files.create(file=("x", LINE), purpose="assistants"), "purpose"),
            (one.files.create(file=("x", LINE), purpose="batch", expires_after=soon), "expires_after.seconds"),  # type: ignore[arg-type]  # too soon on purpose
            (one.files.create(file=("x", b"\n"), purpose="batch"), "file"),
        ):
            with pytest.raises(openai.BadRequestError) as refused:
                await asked
            assert refused.value.param == param
        assert [file.id async for file in one.files.list()] == []
