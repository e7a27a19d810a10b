"""In which control groups do a node's programs and pods live, and how do these go? For version 1, 2 and both mixed."""

from collections.abc import Iterator
from pathlib import Path

TREE = Path("/sys/fs/cgroup")
_CPUSET = ("cpuset.cpus", "cpuset.mems")
_PROGRAMS = "programs"
_NEEDED = ("cpu", "cpuset", "memory", "pids", "hugetlb")


def version() -> int:
    """2 where the unified hierarchy alone is mounted, else 1."""
    return 2 if (TREE / "cgroup.controllers").exists() else 1


def hierarchies() -> list[Path]:
    """Roots of the mounted hierarchies."""
    if version() == 2:
        return [TREE]
    return sorted({path.resolve() for path in TREE.iterdir() if (path / "cgroup.procs").exists()})


def make(name: str) -> list[Path]:
    """A group in every hierarchy, and inside it one for the programs; the files by which a process joins the latter."""
    joins = []
    for root in hierarchies():
        if version() == 2:
            _delegate(root)
        for group in (root / name, root / name / _PROGRAMS):
            group.mkdir(exist_ok=True)
            for file in _CPUSET if root.name != "unified" and version() == 1 else ():
                if (group / file).exists():
                    (group / file).write_text((group.parent / file).read_text())
        joins.append(root / name / _PROGRAMS / "cgroup.procs")
    return joins


def _delegate(root: Path) -> None:
    """Version 2: children of the root may use the controllers that a kubelet asks for."""
    there = (root / "cgroup.controllers").read_text().split()
    wanted = " ".join(f"+{controller}" for controller in _NEEDED if controller in there)
    (root / "cgroup.subtree_control").write_text(wanted)


def groups(name: str) -> Iterator[Path]:
    """Every group of the nodes whose names begin so, innermost first."""
    for root in hierarchies():
        for group in root.glob(f"{name}*"):
            yield from sorted(group.glob("**/"), key=lambda path: -len(path.parts))


def processes(name: str) -> set[int]:
    """Numbers of the processes in them."""
    found: set[int] = set()
    for group in groups(name):
        try:
            found.update(int(line) for line in (group / "cgroup.procs").read_text().split())
        except OSError:  # the group went meanwhile, or is a threaded one
            continue
    return found


def remove(name: str) -> list[Path]:
    """Remove what is empty; what is not."""
    for group in groups(name):
        try:
            group.rmdir()
        except OSError:  # still has a process or a child: the caller tries again
            continue
    return list(groups(name))
