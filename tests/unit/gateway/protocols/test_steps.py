"""A route that asks a language model for what none has is told to who runs the gateway, not to its caller alone."""

from mizzen_gateway.protocols.steps import chat_of
from mizzen_gateway.routing.route import Ref, StepFacts
from mizzen_gateway.stages import Refusal
from structlog.testing import capture_logs


def test_an_input_that_no_language_model_has_is_logged() -> None:
    step = StepFacts("then", Ref("deployment", "small"), (("foo", "first", "text"),))
    with capture_logs() as lines:
        answer = chat_of(step, {"first": {"text": "hello"}}, "first")
    assert isinstance(answer, Refusal)
    (line,) = lines
    assert (line["log_level"], line["step"]) == ("warning", "then")
    assert "no input 'foo', only 'prompt'" in line["why"]
    assert "hello" not in str(line)
