"""Does a package that Mizzen runs with have a known vulnerability? Asks pip-audit, and says what could not be asked.

Run by `make check`. A machine whose package index tells no advisories passes, and its output says that nothing was
audited: a gate that is red without a network would be taken out.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

ACCEPTED: Final[dict[str, str]] = {}
"""Id of an advisory -> why it does not touch Mizzen."""
SECONDS: Final = 120


def exported(uv: str, folder: Path) -> Path:
    """The pinned packages of all programs, without those of development."""
    file = folder / "requirements.txt"
    options = ["--frozen", "--quiet", "--no-hashes", "--no-emit-workspace", "--no-dev", "--output-file", str(file)]
    subprocess.run([uv, "export", *options], check=True)
    return file


def asked(file: Path) -> list[dict[str, Any]] | None:
    """What pip-audit says of each package; None where it got no answer at all."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(file), "--no-deps", "--disable-pip"]
    quiet = ["--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    try:
        done = subprocess.run([*command, *quiet], capture_output=True, text=True, timeout=SECONDS, check=False)
        dependencies: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return None
    return dependencies


def verdict(packages: list[dict[str, Any]] | None) -> tuple[bool, list[str]]:
    """Whether it may pass, and the sentences to say."""
    audited = [package for package in packages or [] if "skip_reason" not in package]
    said = [
        f"{package['name']} {package['version']}: {advisory['id']}"
        f", mended in {', '.join(advisory['fix_versions']) or 'no version yet'}; raise it in uv.lock"
        for package in audited
        for advisory in package["vulns"]
        if not ACCEPTED.keys() & {advisory["id"], *advisory.get("aliases", ())}
    ]
    if said:
        return False, said
    if not audited:
        return True, ["advisories: NOT AUDITED, no advisory service answers here; run it where pypi.org can be reached"]
    left = len(packages or []) - len(audited)
    return True, [f"advisories: none for {len(audited)} packages" + (f", NOT AUDITED: {left}" if left else "")]


def main() -> int:
    """Exit code 1 where a package has an advisory that is not accepted."""
    with tempfile.TemporaryDirectory() as folder:
        passes, said = verdict(asked(exported(sys.argv[1], Path(folder))))
    print("\n".join(said))
    return int(not passes)


if __name__ == "__main__":
    sys.exit(main())
