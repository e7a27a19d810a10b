"""Ids rise; sealed answers open for their caller alone."""

import re
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mizzen_controlplane.kit.columns import UtcDateTime
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.sealing import seal, unseal


def test_ids_rise_within_a_process() -> None:
    made = [new_id("prj") for _ in range(2000)]
    assert made == sorted(set(made))
    assert re.fullmatch(r"prj_[0-9a-hjkmnp-tv-z]{26}", made[0])


@given(st.binary(max_size=3000))
def test_a_sealed_answer_opens_for_its_caller(body: bytes) -> None:
    sealed = seal(b"caller", body)
    assert unseal(b"caller", sealed) == body
    assert len(body) < 8 or body not in sealed


def test_a_sealed_answer_opens_for_no_one_else_and_not_when_changed() -> None:
    sealed = seal(b"caller", b'{"secret": "mzk_..."}')
    for secret, text in ((b"other", sealed), (b"caller", sealed[:-1] + bytes([sealed[-1] ^ 1]))):
        with pytest.raises(ValueError, match="sealed"):
            unseal(secret, text)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        UtcDateTime().process_bind_param(datetime(2026, 1, 1), None)  # type: ignore[arg-type]  # noqa: DTZ001 - the case itself
