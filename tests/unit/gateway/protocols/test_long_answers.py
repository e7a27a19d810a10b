"""How much of a long answer is held? By its own size, by all that is held, and by who keeps it whole."""

import tracemalloc

import pytest
from mizzen_gateway.caching import KeepingResponder
from mizzen_gateway.engine.exchange import Beginning
from mizzen_gateway.protocols.held_answer import HeldAnswer
from mizzen_gateway.protocols.held_bytes import HELD
from mizzen_gateway.protocols.open_inference.grpc.held import LINE_BYTES, HeldResponder
from mizzen_gateway.protocols.openai.answer import LONG_BYTES, WholeAnswer
from mizzen_gateway.stages import Refusal, Usage
from mizzen_gateway.wire.request import BadRequestError
from mizzen_gateway.wire.response import HeaderList, Responder

PIECE = 64 * 1024
HEAD, TAIL = b'{"model":"inner","data":[0', b'],"usage":{"prompt_tokens":7,"completion_tokens":5}}'


class Dropping(Responder):
    """Counts what it gets."""

    def __init__(self) -> None:
        self.started = self.done = False
        self.source = None
        self.size = 0

    def start(self, status: int, headers: HeaderList) -> None:
        self.started = True

    def write(self, data: bytes) -> None:
        self.size += len(data)

    def finish(self) -> None:
        self.done = True


def asked(responder: Responder, pieces: int) -> WholeAnswer:
    answer = WholeAnswer(responder, (), "public", "inner", 40)
    answer.on_head(200, {})
    answer.on_body(HEAD)
    for _ in range(pieces):
        answer.on_body(b",1" * (PIECE // 2))
    answer.on_body(TAIL)
    return answer


def test_of_a_long_answer_little_is_held_at_a_time() -> None:
    tracemalloc.start()
    try:
        responder = Dropping()
        answer = asked(responder, 400)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.complete() == Usage(7, 5)
    assert responder.done
    assert responder.size > 400 * PIECE
    assert most < 20 * PIECE


def test_an_answer_that_is_not_long_is_held_until_it_is_booked() -> None:
    responder = HeldResponder()
    answer = asked(responder, LONG_BYTES // PIECE - 1)
    assert HELD.bytes > PIECE
    assert answer.complete() == Usage(7, 5)
    assert not responder.started
    answer.send()
    assert responder.body.startswith(b'{"model":"public"')
    del answer
    assert HELD.bytes == 0


def test_nothing_fails_where_much_is_held_already(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HELD, "most", 0)
    responder = Dropping()
    answer = asked(responder, 0)
    assert responder.started  # before it was whole
    assert HELD.bytes == 0
    assert answer.complete() == Usage(7, 5)


def test_who_keeps_answers_gets_a_long_one_whole() -> None:
    responder = HeldResponder()
    answer = asked(responder, 10)
    assert not responder.started
    assert answer.complete() == Usage(7, 5)
    assert responder.body.startswith(b'{"model":"public","data":[0,1')
    assert responder.body.endswith(TAIL)


def test_who_keeps_answers_refuses_by_name_what_is_too_long_for_it() -> None:
    with pytest.raises(BadRequestError) as raised:
        asked(HeldResponder(LINE_BYTES), LINE_BYTES // PIECE + 1)
    assert raised.value.refusal.code == "answer_too_long"
    assert raised.value.refusal.status == 400


def test_the_response_cache_keeps_no_long_answer() -> None:
    to = Dropping()
    keeping = KeepingResponder(to)
    assert asked(keeping, 10).complete() == Usage(7, 5)
    assert keeping.kept is None
    assert (to.started, to.done, keeping.started, keeping.done) == (True, True, True, True)


def test_a_refusal_however_long_is_a_refusal() -> None:
    answer = WholeAnswer(HeldResponder(), (), "public", "inner", 40)
    answer.on_head(400, {})
    answer.on_body(b"maximum context length is 2048 tokens")
    for _ in range(100):
        answer.on_body(b"x" * PIECE)
    assert HELD.bytes < 4 * PIECE
    refusal = answer.complete()
    assert isinstance(refusal, Refusal)
    assert refusal.code == "context_length_exceeded"


def test_tensors_that_are_too_long_to_be_held_are_refused_by_name() -> None:
    answer = HeldAnswer(PIECE)
    answer.on_body(b"x" * PIECE)
    with pytest.raises(BadRequestError) as raised:
        answer.on_body(b"x")
    assert raised.value.refusal.code == "answer_too_long"
    assert str(PIECE) in raised.value.refusal.message


def test_of_a_long_refusal_the_beginning_is_kept() -> None:
    sink = Beginning(10)
    for _ in range(3):
        sink.on_body(b"1234567")
    assert sink.body == b"1234567123"
