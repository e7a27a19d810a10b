"""The steps of the tour, in order. Each says in its docstring what it does, prints what it saw, and checks it."""

import os
import signal
import time
from collections.abc import Callable

import httpx
import openai
import orjson
import psutil
import tritonclient.http as triton
from langchain_openai import ChatOpenAI
from load import ConstantLoad
from sentences import NEGATIVE, POSITIVE, ask, request_body
from tour import StepFailedError, Tour, expect, say

LOAD_PER_SECOND = 100.0
HEAL_SECONDS = 30.0
QUESTION = "What is the capital of France?"


class Stage:
    """What the steps share."""

    def __init__(self, tour: Tour, *, llm: bool) -> None:
        self.tour = tour
        self.llm = llm
        self.key = ""

    @property
    def headers(self) -> dict[str, str]:
        """What a caller sends to be let in."""
        return {"authorization": f"Bearer {self.key}"}

    def sentiment(self) -> triton.InferenceServerClient:
        """An unmodified Triton client on the gateway."""
        return triton.InferenceServerClient(f"127.0.0.1:{self.tour.gateway_port}")


def start(stage: Stage) -> None:
    """Start Mizzen: control plane, gateway and runner"""
    tour = stage.tour
    ports = ("--port", str(tour.port), "--gateway-port", str(tour.gateway_port))
    tour.mizzen("up", "--data-dir", str(tour.data_dir), *ports)
    stage.key = tour.read("keys", "create", "demo")["secret"]
    tour.mizzen(
        "rate-cards",
        "create",
        "list-price",
        "--per-request",
        "0.0002",
        "--per-million-input",
        "0.15",
        "--per-million-output",
        "0.60",
    )


def train_and_push(stage: Stage) -> None:
    """Train a sentiment classifier on Chinese reviews and push it as version 1"""
    stage.tour.run("python", "examples/sentiment/train.py", "--version", "1")
    stage.tour.mizzen("models", "push", "sentiment", "examples/sentiment/artifacts/v1", "--alias", "champion")


def deploy(stage: Stage) -> None:
    """Deploy it on a real Triton server and follow the start"""
    began = time.monotonic()
    stage.tour.mizzen("apply", "-f", "examples/sentiment/deployment.yaml", "--wait", "--timeout", "600")
    say(f"ready {time.monotonic() - began:.1f} s after apply")
    stage.tour.mizzen("describe", "sentiment")


def call_with_tritonclient(stage: Stage) -> None:
    """Call it with the unmodified tritonclient"""
    client = stage.sentiment()
    for text in (*POSITIVE, *NEGATIVE):
        label, probability = ask(client, text, stage.headers)
        say(f"{text} -> {label} ({probability:.2f})")
        expect(label == ("positive" if text in POSITIVE else "negative"), f"{text} was called {label}")


def chat(stage: Stage) -> None:
    """Chat through the unmodified openai and langchain-openai packages, streamed"""
    model = _serve_chat_model(stage)
    client = openai.OpenAI(base_url=f"{stage.tour.gateway_url}/v1", api_key=stage.key, max_retries=0)
    question = [{"role": "user", "content": QUESTION}]
    stream = client.chat.completions.create(
        model=model,
        messages=question,
        stream=True,
        max_tokens=32,
        stream_options={"include_usage": True},
        temperature=0,
    )
    chunks = list(stream)
    answer = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    usage = chunks[-1].usage
    say(f"{model}: {answer!r} in {len(chunks)} chunks; {usage.prompt_tokens} tokens in, {usage.completion_tokens} out")
    expect(bool(answer) and usage.completion_tokens > 0, "the answer was empty or not counted")
    expect(not stage.llm or "Paris" in answer, f"the language model did not say Paris but {answer!r}")
    chain = ChatOpenAI(
        model=model, base_url=f"{stage.tour.gateway_url}/v1", api_key=stage.key, max_tokens=32, temperature=0
    )
    pieces = [piece.text for piece in chain.stream(QUESTION)]
    say(f"langchain: {''.join(pieces)!r} in {len(pieces)} pieces")
    expect("".join(pieces) == answer, "langchain-openai was told something else than openai")
    _until(lambda: _billed_tokens(stage, model) == 2 * usage.completion_tokens, "the tokens are not in the ledger")
    say(f"the ledger has {_billed_tokens(stage, model)} generated tokens of {model}, as the engine counted them")


def exceed_a_limit(stage: Stage) -> None:
    """Limit a key to 5 requests a minute and exceed it"""
    key = stage.tour.read("keys", "create", "limited")
    stage.tour.mizzen("limits", "create", "five-a-minute", "--requests", "5", "--window", "60", "--key", "limited")
    url = f"{stage.tour.gateway_url}/v2/models/sentiment/infer"
    body, headers = request_body(POSITIVE[0]), {"authorization": f"Bearer {key['secret']}"}
    # The first request that the limit counts; one before it may come before the gateway has heard of key and limit.
    _until(
        lambda: "x-ratelimit-limit-requests" in httpx.post(url, content=body, headers=headers).headers,
        "the limit does not show",
    )
    answers = [httpx.post(url, content=body, headers=headers) for _ in range(5)]
    refused = answers[-1]
    say(f"statuses: 200 for the first, then {[answer.status_code for answer in answers]}")
    say(f"{refused.status_code} {refused.text}")
    told = [f"{name}: {value}" for name, value in refused.headers.items() if "ratelimit" in name or "retry" in name]
    say(", ".join(told))
    expect([answer.status_code for answer in answers] == [200] * 4 + [429], "the sixth request was not the one refused")
    expect("retry-after" in refused.headers, "the refusal does not say when to try again")


def update_under_load(stage: Stage) -> None:
    """Push version 2, compare, promote and roll back under 100 requests a second"""
    stage.tour.run("python", "examples/sentiment/train.py", "--version", "2")
    stage.tour.mizzen("models", "push", "sentiment", "examples/sentiment/artifacts/v2")
    stage.tour.mizzen("models", "compare", "sentiment", "1", "2")
    url = f"{stage.tour.gateway_url}/v2/models/sentiment/infer"
    with ConstantLoad(url, stage.headers, request_body(POSITIVE[0]), LOAD_PER_SECOND) as load:
        stage.tour.mizzen("models", "alias", "sentiment", "champion", "2")
        _until(lambda: _serving_version(stage) == 2, "version 2 does not serve", seconds=120)
        stage.tour.mizzen("rollout", "status", "sentiment")
        stage.tour.mizzen("rollout", "rollback", "sentiment")
        _until(lambda: _serving_version(stage) == 1, "version 1 does not serve again", seconds=120)
    say(f"{sum(load.outcomes.values())} requests meanwhile: {dict(load.outcomes)}; {load.failed} failed")
    expect(load.failed == 0, f"{load.failed} requests failed during the rollout")


def show_the_bill(stage: Stage) -> None:
    """Show usage, this month's invoice and the audit trail"""
    _until(lambda: any(row["model"] == "sentiment" for row in stage.tour.read("usage")), "no usage in the ledger")
    stage.tour.mizzen("usage")
    stage.tour.mizzen("invoice")
    stage.tour.mizzen("audit", "--limit", "8")
    invoice = stage.tour.read("invoice")
    expect(float(invoice["total"]) > 0, "the invoice is empty")


def kill_triton(stage: Stage) -> None:
    """Kill the Triton process and see it heal"""
    victims = [process for process in psutil.process_iter(["name", "environ"]) if _is_our_triton(stage, process)]
    expect(bool(victims), "no Triton process of this tour was found")
    for victim in victims:
        say(f"kill -9 {victim.pid}")
        os.kill(victim.pid, signal.SIGKILL)
    began = time.monotonic()
    _until(lambda: _answers(stage), "sentiment did not answer again", seconds=HEAL_SECONDS)
    say(f"answers again {time.monotonic() - began:.1f} s later: {ask(stage.sentiment(), POSITIVE[0], stage.headers)}")


def stop(stage: Stage) -> None:
    """Stop everything and look for leftovers"""
    stage.tour.mizzen("down", "--data-dir", str(stage.tour.data_dir))
    left = [process.pid for process in psutil.process_iter(["environ"]) if _of_this_tour(stage, process)]
    expect(not left, f"processes are left: {left}")


STEPS: tuple[Callable[[Stage], None], ...] = (
    start,
    train_and_push,
    deploy,
    call_with_tritonclient,
    chat,
    exceed_a_limit,
    update_under_load,
    show_the_bill,
    kill_triton,
    stop,
)


def _serve_chat_model(stage: Stage) -> str:
    if not stage.llm:
        stage.tour.mizzen("apply", "-f", "examples/simulated/chat.yaml", "--wait", "--timeout", "60")
        return "chat"
    stage.tour.mizzen("engines", "install", "vllm")
    stage.tour.run("python", "examples/smollm/convert.py")
    stage.tour.mizzen("models", "push", "smollm", "examples/smollm/artifacts/v1", "--alias", "champion")
    stage.tour.mizzen("apply", "-f", "examples/smollm/deployment.yaml", "--wait", "--timeout", "600")
    return "smollm"


def _billed_tokens(stage: Stage, model: str) -> int:
    return sum(int(row["output_tokens"]) for row in stage.tour.read("usage") if row["model"] == model)


def _serving_version(stage: Stage) -> int | None:
    status = stage.tour.read("get", "sentiment").get("status", {})
    serving = [revision for revision in status.get("revisions", []) if revision.get("trafficPercent") == 100]
    return serving[0].get("modelVersion") if serving else None


def _answers(stage: Stage) -> bool:
    body = request_body(POSITIVE[0])
    try:
        answer = httpx.post(
            f"{stage.tour.gateway_url}/v2/models/sentiment/infer",
            content=body,
            headers=stage.headers,
            timeout=HEAL_SECONDS,
        )
    except httpx.HTTPError:
        return False
    return answer.status_code == 200 and "outputs" in orjson.loads(answer.content)


def _is_our_triton(stage: Stage, process: psutil.Process) -> bool:
    return process.info["name"] == "tritonserver" and _of_this_tour(stage, process)


def _of_this_tour(stage: Stage, process: psutil.Process) -> bool:
    environment = process.info["environ"] or {}
    folder = str(stage.tour.data_dir)
    return any(
        name.startswith("MIZZEN_") and name != "MIZZEN_CONFIG" and folder in value
        for name, value in environment.items()
    )


def _until(fact: Callable[[], bool], otherwise: str, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > deadline:
            raise StepFailedError(f"{otherwise} after {seconds:.0f} s")
        time.sleep(0.2)
