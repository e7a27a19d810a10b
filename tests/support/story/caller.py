"""Callers of a model with an unmodified tritonclient: one question, or several callers without pause."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import tritonclient.http as triton
from support.cluster.objects import wait_until
from support.story import sentiment
from tritonclient.utils import InferenceServerException

CALLERS = 4
_PAUSE_SECONDS = 0.05
_TIMEOUT_SECONDS = 30.0


def ask(address: str, key: str, model: str = "sentiment") -> int:
    """Ask once; which version answered. Raises what tritonclient raises."""
    client = triton.InferenceServerClient(address, network_timeout=_TIMEOUT_SECONDS)
    try:
        return _ask(client, key, model)
    finally:
        client.close()


def _ask(client: triton.InferenceServerClient, key: str, model: str) -> int:
    headers = {"authorization": f"Bearer {key}"}
    return sentiment.answered_by(client.infer(model, sentiment.question(), headers=headers))


@dataclass(frozen=True)
class Failure:
    """A request without an answer of the model."""

    began: float
    """On the monotonic clock."""
    ended: float
    error: BaseException

    @property
    def refused(self) -> bool:
        """A server answered with a status, as against a connection that was cut or not made."""
        return isinstance(self.error, InferenceServerException) and self.error.status() is not None

    def __str__(self) -> str:
        return f"after {self.ended - self.began:.2f} s {type(self.error).__name__}: {self.error}"


@dataclass
class Load:
    """Callers on a gateway that ask again once they are answered. Every answer is held to what a version answers."""

    address: str
    key: str
    answers: Counter[int] = field(default_factory=Counter)
    """How many answers each version gave."""
    failures: list[Failure] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _counting: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def running(self) -> Iterator["Load"]:
        """Load while the block runs; each caller has been answered before it starts, and has ended when it is left."""
        callers = [threading.Thread(target=self._call) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        try:
            self.wait_answers(CALLERS)
            yield self
            self.wait_answers(CALLERS)
        finally:
            self._over.set()
            for caller in callers:
                caller.join()

    def wait_answers(self, more: int, version: int | None = None, seconds: float = 60.0) -> None:
        """Return once so many more answers came, of one version or of any."""
        before = self._count(version)
        wait_until(
            lambda: self._count(version) >= before + more,
            seconds,
            lambda: f"{more} more answers of version {version or 'any'}: {self}",
        )

    def _count(self, version: int | None) -> int:
        return self.answers.total() if version is None else self.answers[version]

    def _call(self) -> None:
        client = None
        while not self._over.is_set():
            began = time.monotonic()
            try:
                client = client or triton.InferenceServerClient(self.address, network_timeout=_TIMEOUT_SECONDS)
                version = _ask(client, self.key, "sentiment")
                with self._counting:
                    self.answers[version] += 1
            except Exception as error:  # noqa: BLE001 - whatever went wrong is what the story asserts upon
                self.failures.append(Failure(began, time.monotonic(), error))
                if client:
                    client.close()
                client = None
                self._over.wait(_PAUSE_SECONDS)
        if client:
            client.close()

    def __str__(self) -> str:
        told = "".join(f"\n  {failure}" for failure in self.failures[:10])
        answers = ", ".join(f"{count} by version {version}" for version, count in sorted(self.answers.items()))
        return f"{self.answers.total()} answers ({answers}), {len(self.failures)} failures{told}"
