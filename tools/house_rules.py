"""Which house rules does a file break? Sizes, names, tests, layers that no other linter sees. Run by `make check`.

Each rule is a function of one file; a remark made twice in review becomes one more. Generated files are exempt.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
FILE_LINES = 500
FUNCTION_LINES = 60
BANNED_NAMES = frozenset({"util", "utils", "helper", "helpers", "common", "misc"})
BANNED_THINGS = BANNED_NAMES | {"manager", "managers"}
"""For modules and classes; a function may well speak of a field manager."""
STATEMENT_MAKERS = frozenset({"select", "insert", "update", "delete", "text", "func", "exists", "literal_column"})
MACHINE_PATHS = re.compile(r"(?<![\w.$}])/(?:work|root)/\w|(?<![\w.$}])/home/(?!mizzen\b)[a-z]\w*/")
UNEXPLAINED = re.compile(r"#\s*(type:\s*ignore(\[[\w, -]+\])?|noqa(:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*)?)\s*$")
SUFFIXES = {".py", ".md", ".yaml", ".yml", ".toml", ".html", ".css", ".js", ".sh", ".json"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class SourceFile:
    """A text file of the repository."""

    path: PurePosixPath
    text: str

    @property
    def is_test(self) -> bool:
        """Below tests/."""
        return self.path.parts[0] == "tests"

    @property
    def is_generated(self) -> bool:
        """Says so in its first lines, or is a recorded or locked one."""
        opening = "\n".join(self.text.splitlines()[:3]).casefold()
        return (
            "generated" in opening
            or self.path.name.endswith(".lock")
            or {"golden", "versions"} & set(self.path.parts) != set()
        )

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of a Python file; none of another."""
        return tuple(ast.walk(ast.parse(self.text))) if self.path.suffix == ".py" else ()

    @property
    def functions(self) -> Iterator[Function]:
        """Every function, nested ones too."""
        return (node for node in self.nodes if isinstance(node, Function))


@dataclass(frozen=True)
class Finding:
    """A rule that a line breaks."""

    path: PurePosixPath
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


Findings = Iterator[tuple[int, str]]


def file_size(file: SourceFile) -> Findings:
    """Files of code have at most 500 lines."""
    lines = file.text.count("\n")
    if file.path.suffix == ".py" and lines > FILE_LINES:
        yield 1, f"the file has {lines} lines, at most {FILE_LINES} are allowed; split it by what its parts answer"


def function_size(file: SourceFile) -> Findings:
    """Functions have at most 60 lines."""
    for function in file.functions:
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if lines > FUNCTION_LINES:
            yield function.lineno, f"{function.name} has {lines} lines, at most {FUNCTION_LINES} are allowed; split it"


def names(file: SourceFile) -> Findings:
    """Names say what a thing is."""
    modules = [(1, part.removesuffix(".py"), BANNED_THINGS) for part in file.path.parts if file.path.suffix == ".py"]
    classes = [(node.lineno, node.name, BANNED_THINGS) for node in file.nodes if isinstance(node, ast.ClassDef)]
    functions = [(node.lineno, node.name, BANNED_NAMES) for node in file.functions]
    for line, name, forbidden in (*modules, *classes, *functions):
        words = {word.casefold() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}
        if banned := words & forbidden:
            yield line, f"`{name}` says nothing ({', '.join(banned)}); name it after what it is or does"


def module_docstring(file: SourceFile) -> Findings:
    """Every module of the programs says in one line what it answers."""
    module = file.nodes[0] if file.nodes else None
    if isinstance(module, ast.Module) and not file.is_test and file.text.strip() and not ast.get_docstring(module):
        yield 1, "the module has no docstring; its first line is the question that the file answers"


def explained_exemptions(file: SourceFile) -> Findings:
    """A linter is silenced only with a reason."""
    if file.path.suffix == ".py":
        for number, line in enumerate(file.text.splitlines(), 1):
            if UNEXPLAINED.search(line):
                yield number, "an exemption without a reason; name the rule, then `-- why`"


def test_asserts(file: SourceFile) -> Findings:
    """A test asserts something."""
    if not file.is_test or not file.path.name.startswith("test_"):
        return
    asserting = {function.name for function in file.functions if any(map(_asserts, ast.walk(function)))}
    for function in file.functions:
        calls = {_called(node) for node in ast.walk(function)}
        if function.name.startswith("test_") and function.name not in asserting and not calls & asserting:
            yield function.lineno, f"{function.name} asserts nothing; assert what would be wrong"


def _asserts(node: ast.AST) -> bool:
    """An assert, an expected exception, or a wait for a condition, which fails at its deadline."""
    called = _called(node)
    return (
        isinstance(node, ast.Assert)
        or called in ("raises", "fail", "warns")
        or called.startswith(("assert_", "wait", "until"))
    )


def _called(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def no_sleeping_tests(file: SourceFile) -> Findings:
    """A test waits for a condition with a deadline; only such a loop (or a server made slow on purpose) may sleep."""
    if not file.is_test or "support" in file.path.parts:
        return
    polled = {id(inner) for node in file.nodes if isinstance(node, ast.While | ast.For) for inner in ast.walk(node)}
    for node in file.nodes:
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep" and id(node) not in polled:
            yield node.lineno, "a test that sleeps is slow or flaky; wait for a condition with a deadline"


def kubernetes_at_the_edge(file: SourceFile) -> Findings:
    """kopf in handlers/ alone, the Kubernetes client in kube/ alone."""
    for line, module in _imports(file):
        if module == "kopf" and "handlers" not in file.path.parts:
            yield line, "kopf may be imported in handlers/ only; a handler parses, calls one function, and returns"
        if module == "kubernetes" and file.path.parts[0] != "kube":
            yield line, "the Kubernetes client may be imported in kube/ only; use mizzen_kube, and pass plain data on"


def sql_in_its_place(file: SourceFile) -> Findings:
    """Statements in repository.py, models.py, schema.py and the kit alone (a session may pass through); one commit."""
    if file.path.parts[:2] != ("controlplane", "src") or {"kit", "migrations"} & set(file.path.parts):
        return
    if file.path.name not in ("repository.py", "models.py", "schema.py"):
        for line, module, imported in _imports_of_names(file):
            if module in ("sqlalchemy", "sqlmodel") and imported & STATEMENT_MAKERS:
                yield line, "SQL belongs in repository.py (tables in models.py); call the repository"
    for node in file.nodes:
        if isinstance(node, ast.Call) and _called(node) == "commit":
            yield node.lineno, "the one commit is made at the boundary, in the kit; leave it out"


def _imports_of_names(file: SourceFile) -> Iterator[tuple[int, str, set[str]]]:
    for node in file.nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module.split(".")[0], {name.name for name in node.names}


def _imports(file: SourceFile) -> Iterator[tuple[int, str]]:
    for node in file.nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name.split(".")[0]) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module.split(".")[0]


def no_swallowed_cancellation(file: SourceFile) -> Findings:
    """On Python 3.11 `asyncio.wait_for` returns where it is cancelled just as what it waits for is done."""
    if file.is_test:
        return
    for node in file.nodes:
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("asyncio.wait_for", "wait_for"):
            yield node.lineno, "wait_for can swallow a cancellation; use `async with asyncio.timeout(...)`"


def no_stray_packages(file: SourceFile) -> Findings:
    """`operator` must never become importable, and tests are no package."""
    if file.path.name == "__init__.py" and (file.path.parts[0] == "tests" or str(file.path.parent) == "operator"):
        yield (
            1,
            "no __init__.py here: it would shadow a module of the standard library or break test collection; remove it",
        )


def no_machine_paths(file: SourceFile) -> Findings:
    """Nothing of the machine that a file was written on."""
    for number, line in enumerate(file.text.splitlines(), 1):
        if found := MACHINE_PATHS.search(line):
            yield number, f"`{found.group()}` is a path of one machine; use a relative or a configured one"


RULES: tuple[Callable[[SourceFile], Findings], ...] = (
    file_size,
    function_size,
    names,
    module_docstring,
    explained_exemptions,
    test_asserts,
    no_sleeping_tests,
    kubernetes_at_the_edge,
    sql_in_its_place,
    no_swallowed_cancellation,
    no_stray_packages,
    no_machine_paths,
)


def findings(file: SourceFile) -> list[Finding]:
    """What a file breaks, rule by rule."""
    if file.is_generated:
        return []
    return [Finding(file.path, line, message) for rule in RULES for line, message in rule(file)]


def repository_files(root: Path) -> Iterator[SourceFile]:
    """Every text file that is tracked or could be."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        path = root / name
        if path.is_file() and (path.suffix in SUFFIXES or path.name in ("Makefile", "run")):
            yield SourceFile(PurePosixPath(name), path.read_text(encoding="utf-8"))


def main() -> int:
    """Print every finding; exit code 1 where there is one."""
    found = [finding for file in repository_files(ROOT) for finding in findings(file)]
    for finding in found:
        print(finding)
    print(f"house rules: {len(found)} broken" if found else "house rules: all kept")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
