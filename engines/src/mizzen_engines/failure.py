"""How does an init container say why it failed? One sentence, on stderr and in the pod's status, and an exit code."""

import contextlib
import sys
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path

from mizzen_crds.v1alpha1.conditions import DIGEST_MISMATCH, FETCH_FAILED, LAYOUT_REFUSED


class ExitCode(IntEnum):
    """Exit codes of fetch and layout. Below 20 only another artifact or spec helps; from 20 on, time may."""

    ARTIFACT_WRONG = 10
    """The artifact is not what its format says."""
    CODE_REFUSED = 11
    """The artifact carries code, which the project does not allow."""
    DIGEST_MISMATCH = 12
    """What was fetched has another digest than was expected."""
    SOURCE_REFUSED = 13
    """The source's address or scheme is not allowed."""
    NOT_FOUND = 14
    """The source has no such artifact."""
    ENVIRONMENT = 15
    """A variable is missing or wrong."""
    UNAUTHORIZED = 20
    """The source refused the credential."""
    UNREACHABLE = 21
    """The source could not be reached, or broke off again and again."""
    NO_SPACE = 22
    """The disk is full."""


REASONS: Mapping[ExitCode, str] = {
    ExitCode.ARTIFACT_WRONG: LAYOUT_REFUSED,
    ExitCode.CODE_REFUSED: LAYOUT_REFUSED,
    ExitCode.DIGEST_MISMATCH: DIGEST_MISMATCH,
}


class EngineStartError(Exception):
    """The pod cannot start; `code` says why, the message names the thing, the limit and the remedy."""

    def __init__(self, code: ExitCode, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def reason(self) -> str:
        """Reason of the condition that follows from it."""
        return REASONS.get(self.code, FETCH_FAILED)


def tell(error: EngineStartError, environment: Mapping[str, str]) -> int:
    """Write `Reason: message` to stderr and to the termination message; return the exit code."""
    sentence = f"{error.reason}: {error}"
    sys.stderr.write(sentence + "\n")
    log = termination_log(environment)
    if log is not None:
        # The message is a courtesy: the exit code and stderr have said it already.
        with contextlib.suppress(OSError):
            log.write_text(sentence[:4000])
    return int(error.code)


def termination_log(environment: Mapping[str, str]) -> Path | None:
    """Where a container leaves its last words; None where nobody reads them."""
    log = Path(environment.get("MIZZEN_TERMINATION_LOG", "/dev/termination-log"))
    return log if "MIZZEN_TERMINATION_LOG" in environment or log.exists() else None


def required(environment: Mapping[str, str], name: str) -> str:
    """The variable's value. Raises EngineStartError where it is missing."""
    value = environment.get(name, "")
    if not value:
        raise EngineStartError(ExitCode.ENVIRONMENT, f"the variable {name} is not set: the pod's template must set it.")
    return value


def truth(environment: Mapping[str, str], name: str) -> bool:
    """Whether the variable says yes (1 or true)."""
    return environment.get(name, "").lower() in {"1", "true"}
