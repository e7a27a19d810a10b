"""Programs of Debian that tests run without installing them: downloaded and unpacked into the cache folder, no root."""

import os
import subprocess
import tempfile
from pathlib import Path

from cluster.toolchain import cache_folder


def unpacked(package: str) -> Path:
    """Folder with the files of a Debian package, as they would lie below `/`. RuntimeError where it cannot be had."""
    folder = cache_folder() / "debian" / package
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as name:
            fresh = Path(name)
            fresh.chmod(0o755)
            apt_get("download", package, folder=fresh)
            subprocess.run(["dpkg-deb", "--extract", *fresh.glob("*.deb"), fresh / "files"], check=True)
            if not folder.is_dir():
                (fresh / "files").rename(folder)
    return folder


def apt_get(*arguments: str, folder: Path | None = None) -> None:
    """Run apt-get; after a first failure once more with fresh lists. Waits for another that runs."""
    command = ["apt-get", "--quiet", "--quiet", "-o", "DPkg::Lock::Timeout=600"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for again in (False, True):
        if again:
            subprocess.run([*command, "update"], env=environment, check=False, capture_output=True)
        done = subprocess.run(
            [*command, *arguments],
            cwd=folder,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode == 0:
            return
    raise RuntimeError(f"apt-get {' '.join(arguments)}: {done.stderr.strip()[-2000:]}")
