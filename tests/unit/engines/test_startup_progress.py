"""What a container leaves behind when its phase has ended well: totals, in its termination message."""

import json
from pathlib import Path

from mizzen_engines.startup_progress import ProgressReport


def test_the_totals_of_a_phase_stay_in_the_termination_message(tmp_path: Path) -> None:
    log = tmp_path / "termination-log"
    report = ProgressReport({"MIZZEN_TERMINATION_LOG": str(log)}, "fetch")
    report.bytes_so_far(40, 100)
    assert not log.exists()
    report.ended(100, 100)
    told = json.loads(log.read_text())
    assert (told["bytesDone"], told["bytesTotal"]) == (100, 100)
    assert told["seconds"] >= 0


def test_where_nobody_reads_last_words_none_are_left(tmp_path: Path) -> None:
    ProgressReport({"MIZZEN_TERMINATION_LOG": str(tmp_path / "no" / "folder")}, "fetch").ended(1, 1)
    assert list(tmp_path.iterdir()) == []
