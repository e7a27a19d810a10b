"""The layout step, an init container: `python -m mizzen_engines.triton`. Exit codes: ExitCode in failure.py."""

import errno
import os
import sys
from pathlib import Path

from mizzen_engines.failure import EngineStartError, ExitCode, tell
from mizzen_engines.startup_progress import ProgressReport
from mizzen_engines.triton.layout import from_environment, lay_out


def laid_out(repository: Path) -> tuple[int, int | None] | None:
    """Bytes that the repository holds by now; None while its files change places."""
    try:
        return sum(path.stat().st_size for path in repository.rglob("*") if path.is_file()), None
    except OSError:
        return None


def main() -> int:
    """Lay out, or say in one sentence why not."""
    report = ProgressReport(os.environ, "layout")
    try:
        request = from_environment(os.environ)
        with report.watched(lambda: laid_out(request.repository)):
            lay_out(request)
    except EngineStartError as error:
        return tell(error, os.environ)
    except OSError as error:
        code = ExitCode.NO_SPACE if error.errno == errno.ENOSPC else ExitCode.ENVIRONMENT
        return tell(EngineStartError(code, f"the model repository cannot be written: {error}"), os.environ)
    report.ended(0, None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
