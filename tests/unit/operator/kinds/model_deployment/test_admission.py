"""Rules that need the runtime, the artifact or the neighbours, with messages that name field, limit and remedy."""

from datetime import timedelta

import pytest
from mizzen_operator.kinds.model_deployment.admission import blocks_pods, refusals
from mizzen_operator.kinds.model_deployment.artifact import Artifact
from mizzen_operator.runtimes.builtin import builtin_runtimes, runtime_for
from support.deployments import NOON, deployment

ONNX = Artifact("mizzen://mv_1", format="ONNX")


def reasons(wanted, artifact=ONNX, others=()):
    found = refusals(wanted, runtime_for(wanted, builtin_runtimes()), artifact, others)
    return {one.reason: one.message for one in found}


def vllm(*args: str):
    return deployment(engine={"type": "vLLM", "args": list(args)})


def aged(name: str, minutes: int, **spec):
    return deployment(name, metadata={"creationTimestamp": (NOON + timedelta(minutes=minutes)).isoformat()}, **spec)


def test_a_good_deployment_is_not_refused():
    assert reasons(deployment()) == {}


@pytest.mark.parametrize(
    "args",
    [
        ["--max-num-seqs=4"],
        ["--max_num_seqs", "4"],
        ["--seed", "-1"],
        ["--enforce-eager", "--dtype=float16"],
    ],
)
def test_an_allowed_flag_is_taken_in_each_spelling(args):
    assert reasons(vllm(*args), Artifact("hf://a/b", format="Safetensors")) == {}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--trust-remote-code"], "spec.engine.args[0]: --trust-remote-code is set by Mizzen"),
        (["--trust_remote_code"], "--trust-remote-code is set by Mizzen"),
        (["--max-num-seq=4"], "spec.engine.args[0]: --max-num-seq is not in allowedArgs of runtime vllm"),
        (["--seed=$(MORE)"], "spec.engine.args[0]: --seed=$(MORE) holds $(…)"),
        (["--seed", "$(MORE)"], "spec.engine.args[1]: $(MORE) holds $(…)"),
        (["--seed=1", "extra"], "spec.engine.args[1]: extra belongs to no flag"),
        (["--seed", "1", "extra"], "spec.engine.args[2]: extra belongs to no flag"),
        (["-tp=2"], "-tp is not in allowedArgs"),
        (["--port=80"], "--port is set by Mizzen"),
    ],
)
def test_any_other_flag_is_refused(args, said):
    assert said in reasons(vllm(*args), Artifact("hf://a/b", format="Safetensors"))["ArgNotAllowed"]


def test_a_response_cache_whose_name_selects_a_library_is_refused_on_triton():
    wanted = deployment(engine={"type": "Triton", "args": ["--cache-config=redis,host=elsewhere"]})
    assert "--cache-config is set by Mizzen" in reasons(wanted)["ArgNotAllowed"]


def test_a_flag_that_sets_other_flags_is_refused_even_where_a_runtime_lists_it():
    runtime = builtin_runtimes()["triton"]
    open_to_all = runtime.model_copy(
        update={"spec": runtime.spec.model_copy(update={"allowed_args": ["--config", "--seed"], "owned_args": []})}
    )
    for written in ("--config=x.yaml", "--config"):
        wanted = deployment(engine={"type": "Triton", "args": ["--seed=1", written]})
        (found,) = refusals(wanted, open_to_all, ONNX, ())
        assert (found.reason, found.message) == ("ArgNotAllowed", "spec.engine.args[1]: --config is set by Mizzen.")


@pytest.mark.parametrize(
    ("name", "refused"), [("ENGINE_PLUGIN", True), ("ENGINE_DEBUG_X", True), ("ENGINE_LOG", False)]
)
def test_a_runtime_refuses_variables_of_its_own(name, refused):
    runtime = builtin_runtimes()["triton"]
    spec = runtime.spec.model_copy(update={"refused_env": ["ENGINE_PLUGIN", "ENGINE_DEBUG_*"]})
    wanted = deployment(engine={"type": "Triton", "env": [{"name": "OK"}, {"name": name}]})
    found = refusals(wanted, runtime.model_copy(update={"spec": spec}), ONNX, ())
    assert [one.reason for one in found] == (["EnvNotAllowed"] if refused else [])
    assert all(one.message.startswith(f"spec.engine.env[1].name: {name}") for one in found)
    assert blocks_pods(found) == refused


def test_an_image_that_is_not_listed_is_refused():
    wanted = deployment(engine={"type": "Triton", "image": "evil.example/tritonserver:1"})
    assert "spec.engine.image: evil.example/tritonserver:1 is not allowed" in reasons(wanted)["ImageNotAllowed"]


def test_a_format_that_the_runtime_does_not_serve_is_refused_with_those_that_it_does():
    said = reasons(deployment(), Artifact("mizzen://mv_1", format="Safetensors"))["FormatNotServed"]
    assert "serves ONNX, TritonRepository; the model is Safetensors" in said
    assert "spec.model.format" in reasons(deployment(), Artifact("hf://a/b"))["FormatUnknown"]


def test_the_oldest_deployment_keeps_a_name_and_the_other_still_runs():
    old, new = aged("first", 0, servedModelName="shared"), aged("second", 1, aliases=["shared"])
    assert reasons(old, others=[new]) == {}
    assert "shared is served by the older deployment first" in reasons(new, others=[old])["NameTaken"]
    assert not blocks_pods(refusals(new, builtin_runtimes()["triton"], ONNX, [old]))


def test_a_runtime_that_does_not_exist_is_named():
    wanted = deployment()
    found = refusals(wanted, None, ONNX, ())
    assert [one.reason for one in found] == ["RuntimeNotFound"]
    assert blocks_pods(found)
