"""How does the operator learn how far a start is? By small posts of bytes done, which may get lost."""

import contextlib
import http.client
import json
import ssl
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from mizzen_crds.serving import StartupProgress

from mizzen_engines.failure import termination_log

EVERY_SECONDS = 1.0
LOOK_SECONDS = 0.25
Phase = Literal["fetch", "layout"]
Measure = Callable[[], tuple[int, int | None] | None]
"""Returns bytes done and in all; None where nothing can be told now."""


class ProgressReport:
    """Posts progress of one phase at most once a second, and once at its end. Safe to call from several threads."""

    def __init__(self, environment: Mapping[str, str], phase: Phase) -> None:
        self._url = environment.get("MIZZEN_OPERATOR_URL", "").rstrip("/")
        self._authority = environment.get("MIZZEN_OPERATOR_CA", "")
        self._token_file = environment.get("MIZZEN_REGISTRY_TOKEN_FILE", "")
        self._pod = environment.get("POD_NAME", "")
        self._phase: Phase = phase
        self._last_words = termination_log(environment)
        self._began = time.monotonic()
        self._due = self._began + 0.2
        self._lock = threading.Lock()
        self._failure_told = False

    def bytes_so_far(self, done: int, total: int | None) -> None:
        """Tell how many bytes of how many are there."""
        with self._lock:
            now = time.monotonic()
            if now < self._due:
                return
            self._due = now + EVERY_SECONDS
        share = f" ({100 * done // total} %)" if total else ""
        sys.stderr.write(f"{self._phase}: {done} of {total or 'unknown'} bytes{share}\n")
        self._post(done, total, ended=False)

    @contextlib.contextmanager
    def watched(self, measure: Measure) -> Iterator[None]:
        """Tell what `measure` returns while the block runs: also while that stands still, which only posts can show."""
        over = threading.Event()

        def tell() -> None:
            while not over.wait(LOOK_SECONDS):
                if (now := measure()) is not None:
                    self.bytes_so_far(*now)

        teller = threading.Thread(target=tell, name="progress", daemon=True)
        teller.start()
        try:
            yield
        finally:
            over.set()
            teller.join()

    def ended(self, done: int, total: int | None) -> None:
        """The phase has ended well."""
        sys.stderr.write(f"{self._phase}: done, {done} bytes in {time.monotonic() - self._began:.1f} s\n")
        self._post(done, total, ended=True)
        self._leave(done, total)

    def _leave(self, done: int, total: int | None) -> None:
        """The totals stay with the pod, where posts have been lost or their reader has begun anew."""
        if self._last_words is not None:
            seconds = round(time.monotonic() - self._began, 1)
            totals = {"bytesDone": done, "bytesTotal": done if total is None else total, "seconds": seconds}
            with contextlib.suppress(OSError):
                self._last_words.write_text(json.dumps(totals))

    def _post(self, done: int, total: int | None, *, ended: bool) -> None:
        if not self._url.startswith(("http://", "https://")) or not self._pod:
            return
        seconds = time.monotonic() - self._began
        body = StartupProgress(
            pod=self._pod, phase=self._phase, bytes_done=done, bytes_total=total, seconds=seconds, done=ended
        )
        headers = {"content-type": "application/json"}
        try:
            if self._token_file:
                headers["authorization"] = f"Bearer {Path(self._token_file).read_text().strip()}"
            request = urllib.request.Request(  # noqa: S310  # the scheme is checked above
                f"{self._url}/v1/startup-progress", json.dumps(body.model_dump(mode="json")).encode(), headers
            )
            trusted = ssl.create_default_context(cadata=self._authority) if self._authority else None
            urllib.request.urlopen(request, timeout=2, context=trusted).close()  # noqa: S310  # the scheme is checked above
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._tell_failure(error)

    def _tell_failure(self, error: Exception) -> None:
        """Once: a start goes on without its reports, and the reason of the first loss is that of most."""
        if not self._failure_told:
            self._failure_told = True
            sys.stderr.write(f"{self._phase}: the operator at {self._url} did not take a report of progress: {error}\n")
