"""Does a secret lie in the repository? The shapes are those that pushed model versions are searched for.

Run by `make check`. What is accepted is listed with its reason, and an acceptance that nothing needs is a finding too.
"""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from mizzen_controlplane.models.scanning.tokens import SHAPES

KEY: Final = "a private key"
URL: Final = "a password in a URL"
ACCEPTED: Final = {
    ("charts/mizzen/values.yaml", URL): "says what such a URL looks like",
    ("docs/how-to/install.md", URL): "says what such a URL looks like",
    ("docs/reference/values.md", URL): "says what such a URL looks like",
    ("tests/integration/controlplane/test_version_records.py", URL): "is refused",
    ("tests/integration/controlplane/test_webhooks.py", URL): "is refused",
    ("tests/integration/gateway/test_limit_store_faults.py", URL): "of a server that the test starts",
    ("tests/integration/gateway/test_traces.py", URL): "must not reach a log",
    ("tests/releases/0.2.0-rc.1/charts/mizzen/values.yaml", URL): "says what such a URL looks like",
    ("tests/support/cluster/credentials.py", KEY): "the first line of a key that the test makes",
    ("tests/support/hostile_files.py", KEY): "what a scan must find",
    ("tests/support/limit_servers.py", URL): "made by the test",
    ("tests/support/postgres.py", URL): "made by the test",
    ("tests/unit/gateway/limits/test_choice.py", URL): "of no server",
    ("tests/unit/gateway/protocols/test_media_urls.py", URL): "is refused",
    ("tests/unit/operator/test_registry_authority.py", KEY): "a first line without a key",
}
"""(file, kind) -> why it is none."""

Found = dict[tuple[str, str], int]
"""(file, kind) -> the first line that has it."""


def secrets_in(root: Path, files: Iterable[str]) -> Found:
    """What has the shape of a secret in `files` below `root`, by file and kind; never the secret itself."""
    found: Found = {}
    for file in files:
        content = (root / file).read_bytes() if (root / file).is_file() else b""
        for kind, shape in SHAPES:
            match = shape.search(content)
            if match is not None:
                found[file, kind] = content.count(b"\n", 0, match.start()) + 1
    return found


def mistakes(found: Found, accepted: Iterable[tuple[str, str]]) -> list[str]:
    """A sentence for each secret that is not accepted, and for each acceptance of nothing."""
    new = [
        f"{file}:{line}: holds {kind}; revoke it and take it out, or accept it in tools/secret_scan.py with the reason"
        for (file, kind), line in sorted(found.items())
        if (file, kind) not in accepted
    ]
    return new + [
        f"{file}: {kind} is accepted in tools/secret_scan.py and is not there"
        for file, kind in sorted(set(accepted) - set(found))
    ]


def main() -> int:
    """Exit code 1 where something is found."""
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=True)
    files = [file for file in listed.stdout.split("\0") if file]
    said = mistakes(secrets_in(Path(), files), ACCEPTED)
    print("\n".join(said) or f"secret scan: none in {len(files)} files, {len(ACCEPTED)} accepted")
    return int(bool(said))


if __name__ == "__main__":
    sys.exit(main())
