"""A real nginx and a gateway get the same bytes: what nginx refuses as malformed, the gateway forwards to no engine."""

import asyncio
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvloop
from support.gateway import endpoint_set, gateway_process, make_key, make_snapshot, model_deployment
from support.nginx import nginx_before
from support.scripted_engine import scripted_engine
from support.wire_corpus import answer_any, asked, play, read_cases, statuses, talk
from support.wire_mutations import SEEDS, mutated

KEY = make_key()
DEADLINE_SECONDS = 2
DEADLINES = {
    "MIZZEN_HEADER_TIMEOUT_SECONDS": str(DEADLINE_SECONDS),
    "MIZZEN_BODY_TIMEOUT_SECONDS": str(DEADLINE_SECONDS),
    "MIZZEN_KEEP_ALIVE_SECONDS": str(DEADLINE_SECONDS),
}
AT_ONCE = 200
COUNT = int(os.environ.get("MIZZEN_MUTATIONS", "4000"))
REFUSED = frozenset({400, 405, 408, 413, 414, 417, 431, 494, 501, 505})
"""How nginx says that a request is none, or none that it passes on."""


@dataclass
class Seen:
    """What one of the two did."""

    answers: dict[str, tuple[int, ...]]
    forwarded: dict[str, list[str]]


async def through_the_gateway(folder: Path, requests: list[tuple[str, bytes]]) -> Seen:
    async with scripted_engine(answer_any) as engine:
        documents = model_deployment("chat"), endpoint_set("chat", engine.address)
        with gateway_process(folder, make_snapshot([KEY]), *documents, **DEADLINES) as url:
            answers = await send_all(int(url.rpartition(":")[2]), requests)
        return Seen(answers, asked(engine))


async def through_nginx(folder: Path, requests: list[tuple[str, bytes]]) -> Seen:
    async with scripted_engine(answer_any) as engine:
        with nginx_before(engine.port, folder, DEADLINE_SECONDS) as port:
            answers = await send_all(port, requests)
        return Seen(answers, asked(engine))


async def send_all(port: int, requests: list[tuple[str, bytes]]) -> dict[str, tuple[int, ...]]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(name: str, raw: bytes) -> tuple[str, tuple[int, ...]]:
        async with gate:
            return name, tuple(statuses(await talk(port, raw)))

    return dict(await asyncio.gather(*(one(name, raw) for name, raw in requests)))


def smuggled(gateway: Seen, nginx: Seen) -> dict[str, tuple[list[str], list[str]]]:
    """Requests that the gateway passed on and nginx did not, by name."""
    return {
        name: (words, nginx.forwarded.get(name, []))
        for name, words in gateway.forwarded.items()
        if Counter(words) - Counter(nginx.forwarded.get(name, []))
    }


async def corpus_through_nginx(folder: Path) -> Seen:
    cases = read_cases()
    async with scripted_engine(answer_any) as engine:
        with nginx_before(engine.port, folder, DEADLINE_SECONDS) as port:
            found = await asyncio.gather(*(play(case, port, KEY.text) for case in cases))
        answers = {case.name: verdict.answers for case, verdict in zip(cases, found, strict=True)}
        return Seen(answers, asked(engine))


def test_nothing_of_the_corpus_is_forwarded_that_nginx_refuses(tmp_path: Path) -> None:
    nginx = uvloop.run(corpus_through_nginx(tmp_path))
    refused = {name for name, answers in nginx.answers.items() if not answers or REFUSED & set(answers)}
    assert len(refused) > 60
    promised = {case.name: list(case.engine) for case in read_cases()}
    ours = Seen({}, {name: words for name, words in promised.items() if name in refused})
    assert smuggled(ours, nginx) == {}


@pytest.mark.timeout(300)
def test_no_mutated_request_is_forwarded_that_nginx_refuses(tmp_path: Path) -> None:
    seed = int.from_bytes(os.urandom(4))
    print(f"seed {seed}, {COUNT} requests")
    cases = {case.name: case for case in read_cases()}
    requests = mutated([cases[name] for name in SEEDS], COUNT, KEY.text, seed)
    nginx = uvloop.run(through_nginx(tmp_path / "nginx", requests))
    gateway = uvloop.run(through_the_gateway(tmp_path / "gateway", requests))
    refused = sum(bool(REFUSED & set(answers)) for answers in nginx.answers.values())
    print(f"nginx refused {refused} and forwarded {len(nginx.forwarded)}; the gateway {len(gateway.forwarded)}")
    assert refused > COUNT / 10
    assert len(gateway.forwarded) > COUNT / 20
    raw = dict(requests)
    found = {name: (raw[name], nginx.answers[name], gateway.answers[name]) for name in smuggled(gateway, nginx)}
    assert found == {}, f"seed {seed}"
