"""Whether a file is code, told by its content: a pickle, a PyTorch archive of pickles, a shared object, Python."""

import io
import pickletools
import zipfile
from pathlib import Path

_HEAD = 1 << 20
_MAX_OPERATIONS = 5000
_EXECUTES = frozenset({"GLOBAL", "STACK_GLOBAL", "REDUCE", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD"})
_ELF = b"\x7fELF"


def code_in(path: str, content: Path) -> str:
    """What kind of code the file is, or an empty text."""
    with content.open("rb") as stream:
        head = stream.read(_HEAD)
    if head.startswith(_ELF):
        return "a shared object"
    if path.lower().endswith((".py", ".pyc", ".pyd", ".so", ".dll", ".sh")):
        return "a program"
    if is_pickle(head):
        return "a pickle"
    if head.startswith(b"PK\x03\x04") and _holds_pickle(content):
        return "an archive of pickles"
    return ""


def is_pickle(head: bytes) -> bool:
    """Whether `head` begins a pickle: of protocol 2 or later by its mark, an older one by what it executes."""
    marked = len(head) > 2 and head[0] == 0x80 and 2 <= head[1] <= 5
    executes = False
    try:
        for number, (operation, _argument, _position) in enumerate(pickletools.genops(io.BytesIO(head))):
            executes = executes or operation.name in _EXECUTES
            if operation.name == "STOP":
                return marked or executes
            if number >= _MAX_OPERATIONS:
                return marked or executes
    except (ValueError, IndexError, UnicodeDecodeError):
        # What was cut off at the head's end is a pickle still; what never was one fails at its first bytes.
        return marked and number_of_operations(head) >= 3
    return False


def number_of_operations(head: bytes) -> int:
    """How many pickle operations can be read before the first that cannot."""
    count = 0
    try:
        for _operation in pickletools.genops(io.BytesIO(head)):
            count += 1
    except (ValueError, IndexError, UnicodeDecodeError):
        return count
    return count


def _holds_pickle(content: Path) -> bool:
    try:
        with zipfile.ZipFile(content) as archive:
            return any(name.lower().endswith((".pkl", ".pickle")) for name in archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, OSError):
        return False
