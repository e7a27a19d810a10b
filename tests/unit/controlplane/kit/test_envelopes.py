"""A sealed secret opens for its own purpose and row, under a key that is held, and not with a byte of it changed."""

import secrets
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mizzen_controlplane.kit.envelopes import Envelopes, KeyFile, mark_of
from mizzen_controlplane.kit.problem import Unavailable
from mizzen_controlplane.kit.settings import SettingsError

OLD, NEW = "ab" * 32, "cd" * 32
SECRET = b"whsec_of_somebody"


def envelopes(folder: Path, *keys: str) -> Envelopes:
    """Envelopes under `keys`, the first of which wraps."""
    path = folder / "sealing-key"
    path.write_text("\n".join(keys) + "\n")
    return Envelopes(KeyFile(path))


@given(st.binary(max_size=300))
async def test_what_was_sealed_opens_again(tmp_path_factory: pytest.TempPathFactory, secret: bytes) -> None:
    held = envelopes(tmp_path_factory.getbasetemp(), NEW)
    sealed = await held.seal("webhook", "whk_1", secret)
    assert await held.open("webhook", "whk_1", sealed) == secret
    assert len(secret) < 8 or secret not in sealed


async def test_two_envelopes_of_one_secret_are_not_alike(tmp_path: Path) -> None:
    held = envelopes(tmp_path, NEW)
    one, other = [await held.seal("webhook", "whk_1", SECRET) for _ in range(2)]
    assert one[7:] != other[7:]


@pytest.mark.parametrize("place", [("webhook", "whk_2"), ("import", "whk_1"), ("webhook\0whk_1", "")])
async def test_an_envelope_that_was_moved_does_not_open(tmp_path: Path, place: tuple[str, str]) -> None:
    held = envelopes(tmp_path, NEW)
    sealed = await held.seal("webhook", "whk_1", SECRET)
    with pytest.raises(Unavailable, match="another row's"):
        await held.open(*place, sealed)


async def test_no_changed_byte_and_no_cut_goes_unnoticed(tmp_path: Path) -> None:
    held = envelopes(tmp_path, NEW)
    sealed = await held.seal("webhook", "whk_1", SECRET)
    for at in range(len(sealed)):
        for changed in (sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], sealed[:at]):
            with pytest.raises(Unavailable):
                await held.open("webhook", "whk_1", changed)


async def test_rotation_keeps_every_secret_open_all_along(tmp_path: Path) -> None:
    sealed = await envelopes(tmp_path, OLD).seal("webhook", "whk_1", SECRET)
    both = envelopes(tmp_path, NEW, OLD)
    assert await both.open("webhook", "whk_1", sealed) == SECRET
    anew = await both.rewrapped(sealed)
    assert await both.open("webhook", "whk_1", anew) == SECRET
    assert (
        await envelopes(tmp_path, OLD, NEW).open("webhook", "whk_1", anew) == SECRET
    )  # a replica with its file unsorted
    assert await envelopes(tmp_path, NEW).open("webhook", "whk_1", anew) == SECRET
    with pytest.raises(Unavailable, match=mark_of(bytes.fromhex(OLD)).hex()):
        await envelopes(tmp_path, NEW).open("webhook", "whk_1", sealed)


async def test_a_key_that_is_changed_on_disk_counts_at_once(tmp_path: Path) -> None:
    held = envelopes(tmp_path, OLD)
    envelopes(tmp_path, NEW, OLD)
    sealed = await held.seal("webhook", "whk_1", SECRET)
    assert sealed[1:5] == mark_of(bytes.fromhex(NEW))


async def test_without_a_key_nothing_is_sealed_and_a_wrong_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="openssl rand -hex 32"):
        await Envelopes(KeyFile(tmp_path / "none")).seal("webhook", "whk_1", SECRET)
    with pytest.raises(SettingsError, match="64 hexadecimal digits"):
        await envelopes(tmp_path, secrets.token_urlsafe(32)).seal("webhook", "whk_1", SECRET)
