"""Which engine answers the transcripts of `tests/contract`? A simulated one, or a real vLLM with SmolLM2 on the CPU."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from support.gateway import endpoint_set
from support.plain_http import NOBODY
from support.simulated_engine import simulated_engine
from support.until import until
from support.vllm_on_cpu import Vllm, serving

MODEL = "inner"
"""What the engine calls its model."""
CHAT_FLAGS = (
    "--enable-auto-tool-choice",
    "--tool-call-parser=hermes",
    # So small a model would else write spaces without end where JSON allows them.
    '--structured-outputs-config={"backend": "xgrammar", "disable_any_whitespace": true}',
)
EMBED_FLAGS = ("--runner=pooling", "--convert=embed")
VLLM_START_SECONDS = 400.0


@dataclass(frozen=True)
class LanguageEngine:
    """An engine that chats and one that embeds, which may be the same."""

    kind: str
    """As the runtime is called."""
    chat: tuple[str, int]
    embedder: tuple[str, int]
    path: str
    """One that the engine which chats has, and not every engine."""
    begins: str = ""
    """How its answers begin, where that is known."""

    def endpoints(self, name: str, namespace: str = "default") -> dict[str, Any]:
        """The EndpointSet of a deployment that chats, or of `embedder`, which embeds."""
        address = self.embedder if name == "embedder" else self.chat
        return endpoint_set(name, address, namespace=namespace, engine=self.kind, model_name=MODEL)


@contextmanager
def simulated() -> Iterator[LanguageEngine]:
    """The simulated one, which can do nearly everything."""
    with simulated_engine(MODEL, "--decode-ms", "1", "--faults", "--lacks", "/v1/score") as address:
        yield LanguageEngine("Simulated", address, address, "/v1/rerank", begins="This is")


@contextmanager
def vllm(folder: Path) -> Iterator[LanguageEngine]:
    """A real one: two processes, as a vLLM either writes or embeds."""
    name = f"--served-model-name={MODEL}"
    folders = [folder / "chat", folder / "embed"]
    for each in folders:
        each.mkdir()
    with serving(folders[0], name, *CHAT_FLAGS) as chat, serving(folders[1], name, *EMBED_FLAGS) as embedder:
        for one in (chat, embedder):
            asyncio.run(until(lambda one=one: one.ended or _answers(one), VLLM_START_SECONDS))
            assert not one.ended, one.said()[-3000:]
        yield LanguageEngine("vLLM", _address(chat), _address(embedder), "/v1/responses")


def _answers(one: Vllm) -> bool:
    try:
        return httpx.get(f"{one.url}/health", trust_env=False, verify=NOBODY).status_code == 200
    except httpx.TransportError:
        return False


def _address(one: Vllm) -> tuple[str, int]:
    return "127.0.0.1", int(one.url.rpartition(":")[2])
