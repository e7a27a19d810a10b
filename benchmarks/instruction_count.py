"""How many instructions does a piece of work take? Counted by Callgrind: as many on a busy machine as on a quiet one.

The program runs within valgrind; what lies between `begin` and `end` is counted, in all its threads. Hashes of texts
are the same in each run, so that two runs differ by a few in a thousand.
"""

import ctypes
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

SOURCE = Path(__file__).parent / "native" / "count.c"
TOTALS = re.compile(r"^totals: (\d+)", re.MULTILINE)


class Counted:
    """Begin and end, called by the program that runs within valgrind."""

    def __init__(self, library: Path) -> None:
        """`library` was built by `counted_run`."""
        loaded = ctypes.CDLL(str(library))
        self.begin = loaded.begin_counting
        self.end = loaded.end_counting


def counted_run(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> int:
    """Instructions between begin and end of a program, which finds the library's path in COUNT_LIBRARY.

    RuntimeError where valgrind or a compiler is missing, or nothing was counted.
    """
    compiler, valgrind = shutil.which("gcc") or shutil.which("cc"), shutil.which("valgrind")
    if compiler is None or valgrind is None:
        raise RuntimeError("counting needs valgrind with its headers, and a C compiler: install valgrind and gcc")
    library, output = folder / "count.so", folder / "callgrind.out"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", library, SOURCE], check=True)
    tool = [valgrind, "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={output}"]
    around = {**environment, "PYTHONHASHSEED": "0", "COUNT_LIBRARY": str(library)}
    subprocess.run([*tool, *command], env=around, check=True, stderr=subprocess.DEVNULL)
    counted = folder / f"{output.name}.1"  # what was counted until the end was called; the rest is in another file
    if not counted.exists():
        raise RuntimeError("valgrind counted nothing: the program ended before its work began")
    return sum(map(int, TOTALS.findall(counted.read_text())))


def library_path() -> Path | None:
    """Where a program within valgrind finds its begin and end; None outside of it."""
    path = os.environ.get("COUNT_LIBRARY")
    return Path(path) if path else None
