"""An export is verified without the installation that wrote it; whoever changed the file is found."""

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from mizzen_cli.audit_file import verdict_of
from mizzen_cli.errors import CommandError
from mizzen_controlplane.audit.anchors import HEAD, AnchorKeys
from mizzen_controlplane.audit.chain_format import GENESIS
from mizzen_controlplane.audit.record import Trace, chain_fields, chained

KEYS = AnchorKeys(["22" * 32])
PUBLIC = list(KEYS.public.values())
Lines = list[dict[str, object]]


def export(count: int) -> Lines:
    """A header, an anchor of the last event, and `count` events."""
    events: Lines = []
    previous = GENESIS
    for number in range(1, count + 1):
        event, held = chained(Trace("person:1", "x", "r", after={"email": f"{number}@example.org"}), number, previous)
        beside = [each.model_dump() for each in held]
        events.append({"kind": "event", **chain_fields(event), "personal": beside})
        previous = event.hash
    signed = orjson.loads(KEYS.sign(count, HEAD, previous, "2026-11-01").line())
    header = {"format": "mizzen-audit/1", "after": 0, "previous_hash": GENESIS, "public_keys": KEYS.public}
    return [{"kind": "header", **header}, {"kind": "anchor", "anchor": signed}, *events]


def written(folder: Path, lines: Lines) -> Path:
    """The lines as a file."""
    path = folder / "audit.jsonl"
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    return path


def findings(folder: Path, lines: Lines) -> set[tuple[int, str]]:
    """What is found in them."""
    return {(found.number, found.kind) for found in verdict_of(written(folder, lines), PUBLIC, None).walk.findings}


def test_a_whole_export_is_whole_and_anchored(tmp_path: Path) -> None:
    verdict = verdict_of(written(tmp_path, export(3)), PUBLIC, None)
    assert (verdict.walk.findings, verdict.walk.events, verdict.notes) == ([], 3, [])
    assert verdict.walk.anchored is not None


def test_an_export_without_names_is_whole(tmp_path: Path) -> None:
    lines = export(2)
    for line in lines[2:]:
        line["personal"] = []
    verdict = verdict_of(written(tmp_path, lines), PUBLIC, None)
    assert (verdict.walk.findings, verdict.walk.erased) == ([], 2)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda lines: lines.pop(3), {(2, "missing_event")}),
        (lambda lines: lines.pop(), {(3, "cut_tail")}),
        (lambda lines: lines[3].update(actor="nobody"), {(2, "changed_event")}),
        (lambda lines: lines[3]["personal"][0]["content"].update(more="x"), {(2, "changed_personal_data")}),
        (lambda lines: lines.__setitem__(slice(2, None), export(3)[2:]), {(3, "rewritten")}),
    ],
)
def test_who_changes_the_file_is_found(
    tmp_path: Path, change: Callable[[Lines], object], found: set[tuple[int, str]]
) -> None:
    lines = export(3)
    change(lines)
    assert findings(tmp_path, lines) == found


def test_what_the_sink_has_counts_as_well(tmp_path: Path) -> None:
    sink = tmp_path / "anchors.jsonl"
    sink.write_bytes(KEYS.sign(9, HEAD, "b" * 64, "2026-11-02").line())
    verdict = verdict_of(written(tmp_path, export(3)), PUBLIC, sink)
    assert [(found.number, found.kind) for found in verdict.walk.findings] == [(4, "cut_tail")]


def test_keys_that_come_with_the_file_are_told_of(tmp_path: Path) -> None:
    assert "give --key" in verdict_of(written(tmp_path, export(1)), (), None).notes[0]


def test_an_anchor_of_somebody_else_does_not_count(tmp_path: Path) -> None:
    verdict = verdict_of(written(tmp_path, export(2)), ["00" * 32], None)
    assert [found.kind for found in verdict.walk.findings] == ["forged_anchor"]


def test_another_file_and_another_key_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no export"):
        verdict_of(written(tmp_path, export(1)[1:]), PUBLIC, None)
    with pytest.raises(CommandError, match="no public key"):
        verdict_of(written(tmp_path, export(1)), ["xyz"], None)
