"""Every case of `tests/corpus/wire` against a gateway process: nothing that can be read two ways reaches an engine."""

import asyncio
from pathlib import Path

import pytest
import uvloop
from support.gateway import endpoint_set, gateway_process, make_key, make_snapshot, model_deployment
from support.scripted_engine import scripted_engine
from support.wire_corpus import Case, Verdict, answer_any, asked, play, read_cases

CASES = read_cases()
KEY = make_key()
SETTINGS = {
    "MIZZEN_FORWARD_HEADERS": "x-name",
    "MIZZEN_HEADER_TIMEOUT_SECONDS": "2.5",
    "MIZZEN_BODY_TIMEOUT_SECONDS": "2.5",
    "MIZZEN_KEEP_ALIVE_SECONDS": "2.5",
}
Outcome = tuple[dict[str, Verdict], dict[str, list[str]]]


async def verdicts(folder: Path) -> Outcome:
    """All cases at once, against one gateway: what callers got, and what the engine was asked."""
    async with scripted_engine(answer_any) as engine:
        documents = model_deployment("chat"), endpoint_set("chat", engine.address)
        with gateway_process(folder, make_snapshot([KEY]), *documents, **SETTINGS) as url:
            port = int(url.rpartition(":")[2])
            found = await asyncio.gather(*(play(case, port, KEY.text) for case in CASES))
        assert not [one.path for one in engine.exchanges if "x-injected" in one.headers]
        assert {one.headers["x-name"] for one in engine.exchanges if "x-name" in one.headers} == {"a\tb", "\xe9\xff"}
        return {case.name: verdict for case, verdict in zip(CASES, found, strict=True)}, asked(engine)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return uvloop.run(verdicts(tmp_path_factory.mktemp("gateway")))


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 60
    assert sum(case.slow for case in CASES) >= 10


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_ends_as_its_file_says(outcome: Outcome, case: Case) -> None:
    answers, engine = outcome
    verdict = answers[case.name]
    assert (verdict.answers, verdict.open) == (case.answers, case.stays_open), verdict.received[-1000:]
    assert tuple(engine.get(case.name, ())) == case.engine
    assert b"\r\nx-injected" not in verdict.received.lower()
