"""Sealed content: what opens it, and what does not."""

import secrets

import pytest
from mizzen_controlplane.batches.content import Sealer
from mizzen_controlplane.kit.problem import Unavailable

TEXT = b'{"prompt": "a secret of ours"}'
KEY = secrets.token_bytes(32)


def test_what_is_sealed_opens_again_and_shows_nothing() -> None:
    sealed = Sealer([KEY]).seal("prj_a", "file_1", 0, TEXT)
    assert b"secret" not in sealed
    assert Sealer([KEY]).unseal("prj_a", "file_1", 0, sealed) == TEXT


@pytest.mark.parametrize("place", [("prj_b", "file_1", 0), ("prj_a", "file_2", 0), ("prj_a", "file_1", 1)])
def test_a_piece_that_was_moved_does_not_open(place: tuple[str, str, int]) -> None:
    sealed = Sealer([KEY]).seal("prj_a", "file_1", 0, TEXT)
    with pytest.raises(Unavailable) as refused:
        Sealer([KEY]).unseal(*place, sealed)
    assert refused.value.problem_code == "content_changed"


def test_a_changed_byte_does_not_open() -> None:
    sealed = bytearray(Sealer([KEY]).seal("prj_a", "file_1", 0, TEXT))
    sealed[-1] ^= 1
    with pytest.raises(Unavailable):
        Sealer([KEY]).unseal("prj_a", "file_1", 0, bytes(sealed))


def test_an_earlier_key_still_opens_and_the_first_one_seals() -> None:
    later = secrets.token_bytes(32)
    earlier = Sealer([KEY]).seal("prj_a", "file_1", 0, TEXT)
    both = Sealer([later, KEY])
    assert both.unseal("prj_a", "file_1", 0, earlier) == TEXT
    assert Sealer([later]).unseal("prj_a", "file_1", 0, both.seal("prj_a", "file_1", 0, TEXT)) == TEXT
    with pytest.raises(Unavailable) as refused:
        Sealer([later]).unseal("prj_a", "file_1", 0, earlier)
    assert refused.value.problem_code == "content_key_missing"
