"""Does a Triton repository carry code? Scripts, libraries, pickles, archives, or configuration that leads to some."""

import re
from collections.abc import Iterator
from pathlib import Path

ELF = b"\x7fELF"
PICKLE = re.compile(rb"\x80[\x02-\x05]")
CODE_NAMES = re.compile(r"\.(py|pyc|pyd|pkl|pickle|joblib|sh|so(\.[0-9.]+)?)$", re.IGNORECASE)
ARCHIVES = re.compile(r"\.(tar|tar\.[a-z0-9]+|tgz|zip)$", re.IGNORECASE)
SAFE_BACKENDS = frozenset({"onnxruntime", "tensorrt", "openvino", "tensorflow", "pytorch", "identity", "ensemble", ""})
_LITERAL = re.compile(r"""#[^\n]*|"((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'""")
_FIELD = re.compile(r"\b(backend|runtime)\s*:?\s*\0([^\0]*)\0")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)")


def carried_code(folder: Path) -> Iterator[str]:
    """One sentence for each thing in the folder that is code, or leads to code."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            yield f"{name} is a link"
        elif path.is_file():
            yield from _in_file(path, name)


def _in_file(path: Path, name: str) -> Iterator[str]:
    with path.open("rb") as file:
        head = file.read(4)
    if CODE_NAMES.search(name) or head.startswith(ELF):
        yield f"{name} is code"
    elif PICKLE.match(head):
        yield f"{name} is a Python pickle, which runs code when loaded"
    elif ARCHIVES.search(name):
        yield f"{name} is an archive, which may be an execution environment"
    elif name.endswith(".pbtxt"):
        yield from (f"{name}: {why}" for why in _in_configuration(path.read_text(errors="replace")))


def _in_configuration(text: str) -> Iterator[str]:
    plain = _with_plain_literals(text)
    if "EXECUTION_ENV_PATH" in plain:
        yield "the parameter EXECUTION_ENV_PATH names an environment of its own"
    for field, value in _FIELD.findall(plain):
        if field == "runtime":
            yield f'runtime: "{value}" names a library or a script'
        elif field == "backend" and value not in SAFE_BACKENDS:
            yield f'backend: "{value}" runs code that comes with the model'


def _with_plain_literals(text: str) -> str:
    """The text with comments gone, escapes resolved and neighbouring literals joined, each between two NUL."""

    def plain(match: re.Match[str]) -> str:
        literal = match[1] if match[1] is not None else match[2]
        return " " if literal is None else "\0" + _ESCAPE.sub(_unescaped, literal).replace("\0", "") + "\0"

    return re.sub(r"\0\s*\0", "", _LITERAL.sub(plain, text.replace("\0", " ")))


def _unescaped(match: re.Match[str]) -> str:
    body = match[1]
    if body[0] in "xuU" and len(body) > 1:
        return chr(int(body[1:], 16) % 0x110000)
    if body[0] in "01234567":
        return chr(int(body, 8) % 256)
    return {"n": "\n", "t": "\t", "r": "\r"}.get(body, body)
