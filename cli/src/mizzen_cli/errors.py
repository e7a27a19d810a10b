"""What can go wrong in a command, and the exit code that says so to a script."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of `mizzen`."""

    OK = 0
    REFUSED = 1
    """The server or a check refused what was asked."""
    USAGE = 2
    """The command line or a file is wrong, or the machine is not ready for it (port in use, folder not writable)."""
    NOT_FOUND = 3
    """What was named does not exist."""
    UNREACHABLE = 4
    """The control plane or the gateway does not answer."""
    TIMED_OUT = 5
    """What was waited for did not happen in time."""
    INTERRUPTED = 130
    """Ctrl-C."""


class CommandError(Exception):
    """Ends a command with a sentence for the person and an exit code for the script."""

    def __init__(self, message: str, code: ExitCode = ExitCode.REFUSED) -> None:
        super().__init__(message)
        self.code = code
