"""The key that seals stored secrets is changed while they are read and set; commands tell what hangs on which key."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from mizzen_cli.local.sealing_key import put_new_key_first
from mizzen_controlplane.kit.columns import SealedBytes
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Unavailable
from mizzen_controlplane.kit.subject import Subject
from mizzen_controlplane.sealing.service import AT_ONCE, KeyUse, rewrap, uses_of_keys
from sqlalchemy import Column, MetaData, String, Table, insert, select, update
from support.command_line import CommandLine, command_line
from support.controlplane import ControlPlane
from support.plane_in_process import plane_of_process

HELD = MetaData()
THINGS = Table("sealed_thing", HELD, Column("id", String(64), primary_key=True), Column("secret", SealedBytes))
SOMEBODY = Subject("admin", frozenset())
COUNT = AT_ONCE + 3


@pytest.fixture
async def plane(stopped_controlplane: ControlPlane) -> AsyncIterator[Plane]:
    """One with `COUNT` stored secrets, and one row that has none."""
    async with plane_of_process(stopped_controlplane) as plane:
        async with plane.database.write_engine.begin() as connection:
            await connection.run_sync(HELD.create_all)
        async with unit_of_work(plane.database) as session:
            await session.execute(insert(THINGS).values(id="none", secret=None))
            rows = [
                {"id": f"t{n}", "secret": await plane.envelopes.seal("thing", f"t{n}", f"secret {n}".encode())}
                for n in range(COUNT)
            ]
            await session.execute(insert(THINGS), rows)
        yield plane


@pytest.fixture
def mizzen(controlplane: ControlPlane, tmp_path: Path) -> Iterator[CommandLine]:
    """A shell on the machine that holds the data folder."""
    shell = command_line(tmp_path, controlplane.url, "http://127.0.0.1:1", controlplane.tokens["admin"])
    config = tmp_path / "config.yaml"
    config.write_text(config.read_text().replace(str(tmp_path / "data"), str(controlplane.folder)))
    return shell


async def test_rotation_wraps_every_secret_anew_and_none_is_lost(plane: Plane) -> None:
    key_file = plane.settings.secrets_dir / "sealing-key"
    (first,) = await uses_of_keys(plane, HELD)
    put_new_key_first(key_file, {first.key})
    before, unused = sorted(await uses_of_keys(plane, HELD), key=lambda use: use.present)
    assert (before, unused.secrets) == (KeyUse(first.key, present=False, held=True, secrets=COUNT), 0)
    assert await texts(plane) == {f"secret {number}" for number in range(COUNT)}
    assert await rewrap(plane, SOMEBODY, HELD) == COUNT
    assert await rewrap(plane, SOMEBODY, HELD) == 0
    after = {use.key: use.secrets for use in await uses_of_keys(plane, HELD)}
    assert after == {first.key: 0, unused.key: COUNT}
    key_file.write_text(key_file.read_text().split()[0])
    assert await texts(plane) == {f"secret {number}" for number in range(COUNT)}


async def test_a_secret_that_is_set_during_the_rotation_stays_as_it_was_set(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = await uses_of_keys(plane, HELD)
    put_new_key_first(plane.settings.secrets_dir / "sealing-key", {first.key})
    kind = type(plane.envelopes)
    rewrapped, changed = kind.rewrapped, []

    async def meanwhile(self: object, sealed: bytes) -> bytes:
        if not changed:
            changed.append(await plane.envelopes.seal("thing", "t1", b"set meanwhile"))
            async with unit_of_work(plane.database) as session:
                await session.exec(update(THINGS).where(THINGS.c.id == "t1").values(secret=changed[0]))
        return await rewrapped(self, sealed)  # type: ignore[arg-type]  # the class itself is patched

    monkeypatch.setattr(kind, "rewrapped", meanwhile)
    await rewrap(plane, SOMEBODY, HELD)
    assert "set meanwhile" in await texts(plane)
    assert {use.secrets for use in await uses_of_keys(plane, HELD)} == {0, COUNT}


async def test_an_envelope_copied_to_another_row_does_not_open(plane: Plane) -> None:
    async with unit_of_work(plane.database) as session:
        stolen = (await session.execute(select(THINGS.c.secret).where(THINGS.c.id == "t1"))).scalar_one()
        await session.exec(update(THINGS).where(THINGS.c.id == "t2").values(secret=stolen))
    with pytest.raises(Unavailable, match="another row's"):
        await texts(plane)


def test_mizzen_secrets_rotate_puts_a_new_key_first_and_drops_what_nothing_hangs_on(
    controlplane: ControlPlane, mizzen: CommandLine
) -> None:
    key_file = controlplane.secrets_dir / "sealing-key"
    first = key_file.read_text().split()
    assert [row["present"] for row in mizzen("secrets", "rotate", "-o", "json").json] == [True, False]
    second = key_file.read_text().split()
    assert second[1:] == first[:1]
    assert second[0] != first[0]
    assert oct(key_file.stat().st_mode)[-3:] == "600"
    mizzen("secrets", "rotate")
    third = key_file.read_text().split()
    assert third[1:] == second[:1]  # the first one sealed nothing any more
    assert "seals" in mizzen("secrets", "keys").out
    assert first[0] not in mizzen("secrets", "keys", "-o", "yaml").out


def test_only_administrators_see_the_keys(controlplane: ControlPlane) -> None:
    for program in ("gateway", "runner", "registry"):
        with controlplane.client(program) as client:
            assert client.get("/api/v1/sealing-keys").status_code == 403
            assert client.post("/api/v1/sealing-keys:rewrap").status_code == 403


async def texts(plane: Plane) -> set[str]:
    """All secrets, opened."""
    async with reading(plane.database) as session:
        rows = (await session.execute(select(THINGS).where(THINGS.c.secret.is_not(None)))).all()
    return {(await plane.envelopes.open("thing", row.id, row.secret)).decode() for row in rows}
