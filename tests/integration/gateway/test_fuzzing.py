"""Any bytes at the gateway's edges: kept ones are replayed, and new ones are made of good ones."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import fuzz_corpus
from support.fuzz_corpus import grow, keep, kept
from support.fuzz_mutations import changed
from support.fuzz_targets import TARGETS, seeds


@pytest.mark.parametrize("target", TARGETS)
def test_what_once_broke_something_breaks_nothing(target: str) -> None:
    for data in (*seeds(target), *kept(target)):
        TARGETS[target](data)
    assert list(seeds(target))


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=300, deadline=None, print_blob=True)
@given(seed=st.integers(0, 2**32), noise=st.binary(max_size=60))
def test_no_bytes_break_a_promise(target: str, seed: int, noise: bytes) -> None:
    chance = random.Random(seed)
    TARGETS[target](changed(chance.choice([*seeds(target), *kept(target)]), chance))
    TARGETS[target](noise)
    assert seed >= 0


def test_what_fuzzing_finds_is_replayed_from_then_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_corpus, "CORPUS", tmp_path)
    assert kept("streams") == []
    longer, failed = b"\x00" + 40 * b"data: 1\n\n", b'\x00data: {"error":1}\n\n'
    count, arcs = grow("streams", TARGETS["streams"], [longer, failed, failed[:-1] + b"\n\n"])
    assert (count, arcs > 10) == (2, True), "what leads no further is left out"
    broke = keep("streams", b"broke")
    assert keep("streams", b"broke") == broke
    assert kept("streams") == [b"broke", failed, longer]
