"""Which Debian packages does a node with containers need, and are they there? Installs the absent ones as root."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from support.cluster.real_node.record import PATH
from support.debian_programs import apt_get, unpacked


@dataclass(frozen=True)
class Package:
    """A Debian package, and the file that tells that it is there."""

    name: str
    proof: str

    @property
    def absent(self) -> bool:
        """Neither a path nor a program of that name is there."""
        return not (Path(self.proof).exists() or shutil.which(self.proof, path=PATH))


NODE = (
    Package("containerd", "containerd"),
    Package("runc", "runc"),
    Package("containernetworking-plugins", "/usr/lib/cni/ptp"),
    Package("iptables", "iptables"),
    Package("iproute2", "ip"),
    Package("conntrack", "conntrack"),
    Package("openssl", "openssl"),
)
"""What runs the containers."""

IMAGES = (Package("buildah", "buildah"), Package("mmdebstrap", "mmdebstrap"))
"""What builds the product's own images."""

_BUSYBOX = "busybox-static"
_INTERPRETER = b"/lib64/ld-linux"
_POLICY = Path("/usr/sbin/policy-rc.d")
_NO_SERVICES = "#!/bin/sh\nexit 101\n"


def install(packages: Sequence[Package]) -> list[str]:
    """Install what is absent, and say so; their names. RuntimeError without root, or where it fails.

    No service is started: the node brings its own containerd and never uses the system's.
    """
    absent = [package.name for package in packages if package.absent]
    if not absent:
        return []
    if os.geteuid() != 0:
        raise RuntimeError(
            f"{', '.join(absent)} are not installed; run as root, or `apt-get install {' '.join(absent)}`"
        )
    print(f"installing Debian packages: {' '.join(absent)}", flush=True)
    ours = not _POLICY.exists()
    if ours:
        _POLICY.write_text(_NO_SERVICES)
        _POLICY.chmod(0o755)
    try:
        apt_get("install", "--yes", "--no-install-recommends", *absent)
    finally:
        if ours:
            _POLICY.unlink()
    return absent


def busybox() -> Path:
    """A busybox that needs no library: the machine's, or one unpacked into the cache folder.

    It is not installed, because Debian would remove its other busybox for it. RuntimeError where it cannot be had.
    """
    installed = Path("/bin/busybox")
    if installed.exists() and _INTERPRETER not in installed.read_bytes():
        return installed
    folder = unpacked(_BUSYBOX)
    return next(path for path in folder.glob("**/bin/busybox"))
