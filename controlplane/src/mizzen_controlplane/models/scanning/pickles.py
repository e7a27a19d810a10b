"""What would a pickle import and call? Told by its operations; nothing of it is ever executed."""

import io
import pickletools
from collections.abc import Iterator
from typing import IO, Final, cast

from mizzen_controlplane.models.scanning.findings import Findings

MOST_OPERATIONS: Final = 2_000_000
DANGEROUS_MODULES: Final = frozenset(
    {
        "os", "posix", "nt", "subprocess", "sys", "socket", "shutil", "pty", "runpy", "importlib", "ctypes", "code",
        "codeop", "pickle", "_pickle", "marshal", "types", "multiprocessing", "threading", "asyncio", "webbrowser",
        "http", "urllib", "requests", "ftplib", "smtplib", "telnetlib", "pip", "timeit", "pdb", "bdb", "cProfile",
        "profile", "trace", "tempfile", "pathlib", "io", "platform", "signal", "commands", "popen2", "doctest",
        "linecache", "inspect", "gc", "zipimport", "pkgutil", "imp", "distutils", "setuptools", "builtins.__import__",
        "nturl2path", "shelve", "dill", "cloudpickle", "joblib.numpy_pickle", "torch.hub", "numpy.testing",
    }
)  # fmt: skip
"""Modules, with all below them, whose functions reach files, processes, networks or further code."""
DANGEROUS_NAMES: Final = frozenset(
    {
        "eval", "exec", "compile", "open", "__import__", "getattr", "setattr", "delattr", "globals", "locals", "vars",
        "breakpoint", "input", "execfile", "apply", "attrgetter", "methodcaller", "itemgetter", "run_module",
    }
)  # fmt: skip
"""Of builtins and operator."""
USUAL: Final = ("torch", "numpy", "collections", "sklearn", "scipy", "copyreg", "copy_reg", "_codecs", "xgboost",
                "lightgbm", "pandas", "transformers", "datetime", "decimal", "fractions", "uuid", "functools",
                "builtins", "__builtin__", "operator", "array", "joblib", "re", "enum")  # fmt: skip
_TEXTS: Final = frozenset({"SHORT_BINUNICODE", "UNICODE", "BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING",
                           "SHORT_BINSTRING"})  # fmt: skip
_CALLS: Final = frozenset({"REDUCE", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD"})


def scan_pickle(file: str, stream: IO[bytes], found: Findings) -> None:
    """Add what the pickles in `stream` import and call; a stream may hold several, one behind the other."""
    calls = False
    read = _Read()
    try:
        for operation, argument in _operations(stream):
            read.take(operation, argument, file, found)
            calls = calls or operation in _CALLS
    except (ValueError, IndexError, UnicodeDecodeError, OverflowError, EOFError) as error:
        found.add(file, "pickle-broken", "high", f"the pickle cannot be read to its end ({type(error).__name__})")
    if calls:
        found.add(file, "pickle-calls", "low", "loading it calls what it imports")


class _Read:
    """What is known while operations go by: the last texts, and those that were put into the memo."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.memo: dict[object, str] = {}
        self.count = 0

    def take(self, operation: str, argument: object, file: str, found: Findings) -> None:
        """One operation."""
        if operation in _TEXTS:
            self.texts = [*self.texts[-31:], str(argument)]
        elif operation in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            key = self.count if operation == "MEMOIZE" else argument
            self.count += 1
            if self.texts:
                self.memo[key] = self.texts[-1]
        elif operation in ("GET", "BINGET", "LONG_BINGET") and argument in self.memo:
            self.texts = [*self.texts[-31:], self.memo[argument]]
        elif operation in ("GLOBAL", "INST"):
            module, _, name = str(argument).partition(" ")
            tell_import(file, module, name, found)
        elif operation == "STACK_GLOBAL":
            if len(self.texts) < 2:
                found.add(file, "pickle-hidden-import", "critical", "what it imports is computed, so nobody can tell")
            else:
                tell_import(file, self.texts[-2], self.texts[-1], found)
        elif operation in ("EXT1", "EXT2", "EXT4"):
            found.add(file, "pickle-hidden-import", "high", f"it imports extension {argument}, which nobody can tell")


def tell_import(file: str, module: str, name: str, found: Findings) -> None:
    """Add one import."""
    top = module.partition(".")[0]
    first = name.partition(".")[0]
    builtin = top in ("builtins", "__builtin__", "operator", "_operator", "functools")
    below = {module[:at] for at, letter in enumerate(module) if letter == "."} | {module}
    if below & DANGEROUS_MODULES or (builtin and first in DANGEROUS_NAMES) or first.startswith("__"):
        found.add(file, "pickle-import", "critical", f"loading it imports {module}.{name}, which can run anything")
    elif top not in USUAL:
        found.add(file, "pickle-import", "high", f"loading it imports {module}.{name}, which no usual model needs")
    else:
        found.add(file, "pickle-import", "info", f"loading it imports {module}.{name}")


class _WithinItsEnd:
    """A stream that is asked for no more than is left of it: a length in a hostile pickle may be 64 bits of lies."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        at = stream.tell()
        self._end = stream.seek(0, io.SEEK_END)
        stream.seek(at)
        self.readline = stream.readline
        self.tell = stream.tell

    def read(self, size: int) -> bytes:
        return self._stream.read(min(size, self._end - self._stream.tell()))


def _operations(stream: IO[bytes]) -> Iterator[tuple[str, object]]:
    count = 0
    bounded = _WithinItsEnd(stream)
    while stream.read(1):
        stream.seek(-1, 1)
        for operation, argument, _position in pickletools.genops(cast("IO[bytes]", bounded)):
            count += 1
            if count > MOST_OPERATIONS:
                raise OverflowError
            yield operation.name, argument
