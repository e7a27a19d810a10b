"""How do the programs become container images without a Docker daemon? buildah, as root, into OCI archives in a cache.

`python tools/images.py operator gateway` builds some, without a name all, and prints reference, size and path.
An archive is named by a hash of what it is made from, so that only a change pays again. The base is made from Debian's
packages by mmdebstrap, for machines that reach no registry; `--base docker.io/library/python:…` takes a published one.
"""

import argparse
import fcntl
import hashlib
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMIT_BYTES = 150 * 1000 * 1000
"""Of a compressed archive; engines are exempt."""
DEBIAN = "bookworm"
PACKAGES = "python3,python3-venv,libpython3.11,ca-certificates"
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
KEPT = "/usr/share/doc/*/copyright"
SHARED_INPUTS = ("pyproject.toml", "uv.lock", ".dockerignore", "images/slim.py", "crds")


@dataclass(frozen=True)
class Image:
    """One image of the product."""

    name: str
    inputs: tuple[str, ...]
    """Paths below the root, beside SHARED_INPUTS and its Dockerfile, that its content comes from."""
    is_engine: bool = False

    @property
    def dockerfile(self) -> Path:
        """What says how it is made."""
        return ROOT / "images" / self.name / "Dockerfile"


IMAGES = {
    image.name: image
    for image in (
        Image("operator", ("operator", "kube")),
        Image("controlplane", ("controlplane", "kube")),
        Image("gateway", ("gateway", "kube")),
        Image("platform", ("engines",)),
        Image("triton-cpu", ("engines",), is_engine=True),
    )
}


@dataclass(frozen=True)
class Archive:
    """An image as one file."""

    reference: str
    """As pods name it: localhost/mizzen/operator:0.2.0."""
    path: Path

    @property
    def size_bytes(self) -> int:
        """Compressed, as its layers are."""
        return self.path.stat().st_size


def version() -> str:
    """Version of the product, which tags the images."""
    found: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return found


def cache_folder() -> Path:
    """Where archives and the layers between builds lie: `$XDG_CACHE_HOME/mizzen/images`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mizzen" / "images"


def built(*names: str, base: str | None = None) -> dict[str, Archive]:
    """Archives by name; builds what is missing. RuntimeError where that fails."""
    if unknown := set(names) - IMAGES.keys():
        raise RuntimeError(f"there is no image {', '.join(sorted(unknown))}; there are {', '.join(IMAGES)}")
    return {name: _built(IMAGES[name], base) for name in names or IMAGES}


def _built(image: Image, base: str | None) -> Archive:
    folder = cache_folder()
    reference = f"localhost/mizzen/{image.name}:{version()}"
    path = folder / f"{image.name}-{_key(image, base or _base_recipe())}.tar"
    with _alone(folder):
        if not path.is_file():
            _require_root()
            _build(image, base or _debian_base(), reference, path)
    return Archive(reference, path)


def _key(image: Image, base: str) -> str:
    """Names what an image is made from: any change of a file, the version or the base gives another name."""
    wanted = (*SHARED_INPUTS, *image.inputs, str(image.dockerfile.relative_to(ROOT)))
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *wanted]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    digest = hashlib.sha256(f"{version()}\0{base}\0".encode())
    for name in sorted(filter(None, listed.split("\0"))):
        if (ROOT / name).is_file():
            digest.update(name.encode() + b"\0" + hashlib.sha256((ROOT / name).read_bytes()).digest())
    return digest.hexdigest()[:16]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One build at a time: the layers are shared."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _require_root() -> None:
    if os.geteuid() != 0:
        raise RuntimeError("images are built as root: run this with sudo, or build images/*/Dockerfile with docker")


def _base_recipe() -> str:
    return "\n".join((DEBIAN, PACKAGES, *LEFT_OUT, KEPT))


def _debian_base() -> str:
    """Make the base image from Debian's packages, once; returns its reference."""
    key = hashlib.sha256(_base_recipe().encode()).hexdigest()[:16]
    reference, tar = f"localhost/mizzen/base:{key}", cache_folder() / f"base-{key}.tar"
    if not tar.is_file():
        fresh = tar.with_suffix(f".{os.getpid()}.tar")
        options = [f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT] + [f"--dpkgopt=path-include={KEPT}"]
        command = ["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", *options]
        # `python` is what commands of runtimes say, as in the published images.
        command += ["--customize-hook=ln -s python3 $1/usr/bin/python", DEBIAN, str(fresh), *_mirror()]
        _run("base", command)
        fresh.rename(tar)
    if subprocess.run(
        [*_buildah(), "inspect", "--type", "image", reference], capture_output=True, check=False
    ).returncode:
        recipe = tar.with_suffix(".Dockerfile")
        recipe.write_text(f"FROM scratch\nADD {tar.name} /\n")
        ignore = tar.with_suffix(".ignore")
        ignore.write_text(f"*\n!{tar.name}\n")
        _run(
            "base",
            [*_buildah(), "bud", "--ignorefile", str(ignore), "-t", reference, "-f", str(recipe), str(tar.parent)],
        )
    return reference


def _mirror() -> list[str]:
    """A mirror of its own, where the environment names one; else the host's."""
    named = os.environ.get("MIZZEN_DEBIAN_MIRROR")
    return [named] if named else []


def _buildah() -> list[str]:
    folder = cache_folder()
    return ["buildah", "--root", f"{folder}/layers", "--runroot", f"{folder}/run", "--storage-driver", "overlay"]


def _build(image: Image, base: str, reference: str, path: Path) -> None:
    packages = cache_folder() / "uv"
    packages.mkdir(exist_ok=True)
    command = [*_buildah(), "bud", "--isolation", "chroot", "--network", "host", "--build-arg", f"BASE={base}"]
    command += ["-v", "/etc/ssl/certs:/etc/ssl/certs:ro", "-v", f"{packages}:/root/.cache/uv", "--timestamp", "0"]
    _run(image.name, [*command, "-t", reference, "-f", str(image.dockerfile), str(ROOT)])
    fresh = path.with_suffix(f".{os.getpid()}.tar")
    fresh.unlink(missing_ok=True)
    _run(image.name, [*_buildah(), "push", "--quiet", reference, f"oci-archive:{fresh}:{reference}"])
    if not image.is_engine and fresh.stat().st_size > LIMIT_BYTES:
        size = fresh.stat().st_size // 1_000_000
        fresh.unlink()
        raise RuntimeError(f"{image.name} has {size} MB compressed, at most {LIMIT_BYTES // 1_000_000} are allowed")
    fresh.rename(path)


def _run(what: str, command: Sequence[str]) -> None:
    """Run a step; RuntimeError with its last lines where it fails."""
    began = time.monotonic()
    try:
        done = subprocess.run(
            ["nice", "-n", "10", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    except FileNotFoundError as error:
        raise RuntimeError(f"{error.filename} is not installed; apt-get install buildah mmdebstrap") from error
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-25:])
        raise RuntimeError(f"{what}: `{' '.join(command)}` ended with {done.returncode}:\n{last}")
    print(f"{what}: {command[0]} took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Build and print; exit code 1 with the reason where that fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", metavar="IMAGE", help=f"any of {', '.join(IMAGES)}; by default all")
    parser.add_argument("--base", help="published base image; by default one made from Debian's packages")
    given = parser.parse_args(arguments)
    try:
        archives = built(*given.names, base=given.base)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    for archive in archives.values():
        print(f"{archive.reference}\t{archive.size_bytes / 1e6:.1f} MB\t{archive.path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
