"""How does everything of a node go, and what is left of it? Runs by itself when a run ends, and by `make e2e-down`.

`python -m support.cluster.real_node.removal` removes the nodes whose run has ended and tells what is left; exit code 1
where anything is. `… removal NAME` is the guardian that each run starts: it waits for the end of its standard input.
Needs nothing but the standard library and this folder's neighbours.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from support.cluster.real_node import cgroups
from support.cluster.real_node.record import PATH, PREFIX, ROOT, Record, every, locked, read, started

_SECONDS = 60.0
_POLL_SECONDS = 0.05
_NAME = re.compile(rf"{PREFIX}[0-9a-f]{{6}}")


def remove(record: Record) -> list[str]:
    """Remove all of a node, which may be removed already; what is left."""
    _until(lambda: not _kill(record))
    _until(lambda: not cgroups.remove(record.name))
    _until(lambda: not _unplug(record.name))
    if not list(_mounts(record.name)):  # never delete through a mount: it may be somebody's data
        shutil.rmtree(record.folder, ignore_errors=True)
    with locked():
        if not list(ROOT.glob(f"{PREFIX}*")):
            shutil.rmtree(ROOT, ignore_errors=True)
    return leftovers(record.name)


def leftovers(*words: str) -> list[str]:
    """What is left on this machine that bears one of these words, such as a node's name; a line for each thing."""
    found = [*_processes(*words)]
    for word in words:
        found += [f"control group {group}" for group in cgroups.groups(word)]
        found += [f"network link {path.name}" for path in Path("/sys/class/net").glob(f"{word}*")]
        found += [f"folder {path}" for path in ROOT.glob(f"{word}*")]
        found += _mounts(word)
    return found


def firewall() -> list[str]:
    """Rules of the machine's own iptables that a node could have made: those of Kubernetes and of pod networks."""
    rules = []
    for program in ("iptables-nft-save", "iptables-legacy-save", "ip6tables-nft-save", "ip6tables-legacy-save"):
        if path := shutil.which(program, path=PATH):
            done = subprocess.run([path], capture_output=True, text=True, check=False)
            lines = [re.sub(r"\[\d+:\d+\]", "", line).strip() for line in done.stdout.splitlines()]
            rules += [f"{program}: {line}" for line in lines if re.search(r"\b(KUBE|CNI)-", line)]
    return sorted(rules)


def forwards() -> bool:
    """This machine passes on packets that are not its own."""
    return Path("/proc/sys/net/ipv4/ip_forward").read_text().strip() == "1"


def _kill(record: Record) -> set[int]:
    """Kill the first process, which takes all of its namespaces along, and what is in the control groups; who lives."""
    living = cgroups.processes(record.name)
    if record.holder and record.holder.lives:
        living.add(record.holder.pid)
    for pid in living:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return living


def _unplug(name: str) -> bool:
    """Remove the link, should it outlive the node's namespaces; whether it was there."""
    if not Path("/sys/class/net", name).exists():
        return False
    subprocess.run(["ip", "link", "delete", name], check=False, capture_output=True, env={"PATH": PATH})
    return True


def _until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _SECONDS
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return held


def _processes(*words: str) -> Iterator[str]:
    """Processes in a control group, or with a command line, that has a word in it; never this one nor its parents."""
    ours = set(_ancestors(os.getpid()))
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            text = command + (folder / "cgroup").read_text()
        except OSError:  # it has ended
            continue
        lives = started(int(folder.name)) and int(folder.name) not in ours
        if lives and any(word in text for word in words):
            yield f"process {folder.name} of {_bearer(text)}: {' '.join(command.split())[:120]}"


def _ancestors(pid: int) -> Iterator[int]:
    while pid:
        yield pid
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return


def _mounts(word: str) -> Iterator[str]:
    """Mounts with a word in them, in any mount namespace of this machine."""
    seen: set[tuple[str, str]] = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            space = str((folder / "ns/mnt").readlink())
            lines = () if (space, "") in seen else (folder / "mountinfo").read_text().splitlines()
        except OSError:
            continue
        seen.add((space, ""))
        for line in lines:
            if word in line and (space, line) not in seen:
                seen.add((space, line))
                yield f"mount of {_bearer(line)} in {space}, seen by process {folder.name}: {line.split()[4]}"


def _bearer(text: str) -> str:
    """The node that a text speaks of."""
    found = _NAME.search(text)
    return found.group() if found else "a node"


def _guard(name: str) -> int:
    """Wait until the run ends, then remove its node."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    left = remove(read(ROOT / name))
    print("\n".join(left), flush=True)
    return 1 if left else 0


def _down() -> int:
    """Remove every node whose run has ended."""
    left: list[str] = []
    names = {record.name for record in every()} | set(_NAME.findall("\n".join(leftovers(PREFIX))))
    for record in (read(ROOT / name) for name in sorted(names)):
        if record.owner.lives:
            print(f"{record.name}: process {record.owner.pid} runs it, left alone; end that and it goes by itself")
            continue
        left += remove(record)
        print(f"{record.name}: removed")
    before = _living()
    found = leftovers(PREFIX)
    lived = before | _living()  # one may start or end meanwhile; its own guardian sees to it
    left += [each for each in found if not lived & set(_NAME.findall(each))]
    print("\n".join(f"left: {each}" for each in left) or "nothing is left")
    return 1 if left else 0


def _living() -> set[str]:
    """Names of the nodes that somebody runs."""
    return {record.name for record in every() if record.owner.lives}


if __name__ == "__main__":
    sys.exit(_guard(sys.argv[1]) if len(sys.argv) > 1 else _down())
