"""What becomes of one line of a batch."""

import json
from collections.abc import Sequence
from dataclasses import replace

from mizzen_crds.kept_batches import BatchLine, LineResult
from mizzen_gateway.batches.line import MOST_TRIES, Later, Line
from mizzen_gateway.stages import Caller, Refusal
from mizzen_gateway.trace_context import OfBatch
from mizzen_gateway.wire.request import Request
from mizzen_gateway.wire.response import Responder

CALLER = Caller("org_1", "prj_1", "default", "default", "key_1")
TEXT = json.dumps(
    {"custom_id": "c7", "method": "POST", "url": "/v1/embeddings", "body": {"model": "embed", "input": "x"}}
)
Behaviour = Refusal | bytes | Exception | None


class Scripted:
    """A pipeline that does what a test says, one thing after the other."""

    def __init__(self, behaviours: Sequence[Behaviour]) -> None:
        self.behaviours = list(behaviours)
        self.asked: list[Request] = []

    async def run_line(self, request: Request, responder: Responder, of_batch: OfBatch | None) -> Refusal | None:
        assert of_batch is None
        self.asked.append(request)
        behaviour = self.behaviours.pop(0)
        if isinstance(behaviour, Exception):
            raise behaviour
        if isinstance(behaviour, bytes):
            responder.send(200, (("x-request-id", "req_1"),), behaviour)
            return None
        return behaviour


async def asked(*behaviours: Behaviour) -> tuple[list[LineResult | Later], Scripted]:
    pipeline, line = Scripted(behaviours), Line("batch_1", BatchLine(number=7, text=TEXT))
    return [await line.ask(pipeline, CALLER, None) for _ in behaviours], pipeline


def told(result: LineResult | Later) -> dict[str, object]:
    assert isinstance(result, LineResult)
    found: dict[str, object] = json.loads(result.text)
    return found


async def test_an_answer_is_a_line_of_the_output_file_in_the_form_of_openai() -> None:
    (result,), pipeline = await asked(b'{"data": []}')
    assert told(result) == {
        "id": "batch_1_7",
        "custom_id": "c7",
        "response": {"status_code": 200, "request_id": "req_1", "body": {"data": []}},
        "error": None,
    }
    (request,) = pipeline.asked
    assert (request.path, request.caller, json.loads(request.body)) == (
        b"/v1/embeddings", replace(CALLER, batch=True), {"model": "embed", "input": "x"},
    )  # fmt: skip
    assert request.headers[b"x-mizzen-priority"] == b"batch"


async def test_an_answer_of_several_lines_is_one_line_of_the_output_file() -> None:
    (result,), _ = await asked(b'{\r\n  "data": [\n    "a\\nb"\n  ]\n}\n')
    assert isinstance(result, LineResult)
    assert result.text.splitlines() == [result.text]
    assert told(result)["response"] == {"status_code": 200, "request_id": "req_1", "body": {"data": ["a\nb"]}}


async def test_a_refusal_that_stays_is_a_line_of_the_error_file() -> None:
    (result,), _ = await asked(Refusal(404, "model_not_found", "No such model.", param="model"))
    assert isinstance(result, LineResult)
    assert not result.good
    assert told(result)["response"] == {
        "status_code": 404,
        "request_id": "",
        "body": {
            "error": {
                "message": "No such model.", "type": "invalid_request_error", "param": "model",
                "code": "model_not_found",
            }
        },
    }  # fmt: skip


async def test_a_limit_and_a_missing_replica_are_waited_for_a_budget_is_not() -> None:
    limit = Refusal(429, "rate_limit_exceeded", "", (("retry-after", "7"),))
    nothing = Refusal(503, "model_not_ready", "", (("retry-after", "600"),))
    budget = Refusal(429, "budget_exceeded", "", (("x-should-retry", "false"),))
    found, _ = await asked(limit, nothing, budget)
    assert found[:2] == [Later(7.0), Later(60.0)]
    assert isinstance(found[2], LineResult)


async def test_a_model_that_fails_is_asked_a_few_times_and_an_error_of_our_own_is_a_result() -> None:
    found, _ = await asked(*[Refusal(502, "upstream_error", "")] * MOST_TRIES)
    assert [isinstance(one, Later) for one in found] == [True] * (MOST_TRIES - 1) + [False]
    (result,), _ = await asked(RuntimeError("an error of our own"))
    assert told(result)["response"]["status_code"] == 500  # type: ignore[index]  # it is one
    (result,), _ = await asked(None)  # answered with nothing
    assert isinstance(result, Later)


async def test_a_line_that_is_too_deep_is_refused_and_leaves_the_others_alone() -> None:
    text = TEXT.replace('"x"', "[" * 300 + "]" * 300)
    result = await Line("batch_1", BatchLine(number=7, text=text)).ask(Scripted([]), CALLER, None)
    assert b"input: more than 64 lists" in json.dumps(told(result)).encode()
    assert isinstance(result, LineResult)
    assert not result.good
