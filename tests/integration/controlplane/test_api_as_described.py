"""What the REST API answers is what its document says: no failure, no status or body that it does not tell of."""

from pathlib import Path

SEED = 6
CASES = 1
"""Of each operation; tests/long has many, by chance."""


def test_no_operation_answers_what_its_document_does_not_tell(tmp_path: Path) -> None:
    from support.api_walk import walk  # seconds of imports, which only the worker that runs this needs

    with walk(tmp_path, f"sqlite+aiosqlite:///{tmp_path / 'controlplane.db'}") as walked:
        walked.run(SEED, CASES)
    print(walked.told())
    assert walked.found == {}
    assert len(walked.operations) == sum(len(item) for item in walked.document["paths"].values())
    assert walked.statuses[200] + walked.statuses[201] + walked.statuses[204] > len(walked.operations) / 4
