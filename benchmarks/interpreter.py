"""Which Python is measured? The one that images run, where it is here; a private build may take a third more.

Images are made of Debian's packages. Its interpreter is one program without a shared library of its own, which is what
the difference comes from.
"""

import os
import site
import subprocess
import sys
from functools import cache
from pathlib import Path

DEBIAN = Path("/usr/bin/python3")
ASKED = "import platform, sys; print(sys.version_info[:2] == {version}, platform.python_version())"
BEGIN = "import runpy, site, sys; site.addsitedir({packages!r}); runpy.run_module({module!r}, run_name='__main__')"


@cache
def measured() -> Path:
    """Debian's Python where it is of the version that runs the benchmark, else that one."""
    if not DEBIAN.exists():
        return Path(sys.executable)
    asked = ASKED.format(version=tuple(sys.version_info[:2]))
    said = subprocess.run([DEBIAN, "-c", asked], capture_output=True, text=True, check=False).stdout
    return DEBIAN if said.startswith("True") else Path(sys.executable)


@cache
def version() -> str:
    """Of the measured Python, with its path."""
    said = subprocess.run([measured(), "-V"], capture_output=True, text=True, check=True).stdout
    return f"{said.split()[1]} ({measured()})"


def command(module: str) -> list[str]:
    """`python -m MODULE` with the packages of the environment that runs the benchmark."""
    if measured() != DEBIAN:
        return [sys.executable, "-m", module]
    return [str(DEBIAN), "-c", BEGIN.format(packages=packages(), module=module)]


def packages() -> str:
    """Where the environment that runs the benchmark has them."""
    return next(path for path in site.getsitepackages() if path.endswith("site-packages"))


def for_children(folder: Path) -> dict[str, str]:
    """What the environment of a measured program needs where it starts others by the same Python; kept in `folder`."""
    if measured() != DEBIAN:
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(f"import site\n\nsite.addsitedir({packages()!r})\n")
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH", ""))))}
