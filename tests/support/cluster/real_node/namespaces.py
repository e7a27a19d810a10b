"""Where does a node run? In namespaces of its own: mounts, network, processes. The kernel removes them in any case.

A first process holds them. It is killed when the run that started it ends, however that ends, and with it goes every
process of the node, every mount, every iptables rule and every network interface: none is ever in the machine's own
namespaces. One cable leads from the machine to the node.
"""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from support.cluster.objects import wait_until
from support.cluster.process import Process
from support.cluster.real_node import cgroups
from support.cluster.real_node.addresses import Addresses, free, taken
from support.cluster.real_node.record import PATH, Record, locked
from support.cluster.real_node.settings import Files

_START_SECONDS = 60.0
_SPARE = 12 * 2**30
_COVERED = ("/var/lib", "/var/log")
"""Programs of a node write here at fixed places; they write into the node's folder instead."""

_FIRST = """set -e
folder=$1 store=$2 bytes=$3
shift 3
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/lock
for path; do
    over=$folder/covers$path
    mkdir -p "$over/upper" "$over/work"
    mount -t overlay -o "lowerdir=$path,upperdir=$over/upper,workdir=$over/work" overlay "$path"
done
mkdir "$store"
if [ "$bytes" -gt 0 ]; then mount -t tmpfs -o "size=$bytes" tmpfs "$store"; fi
mkdir -p /var/lib/kubelet /var/log/pods /var/log/containers
mount --bind "$folder/kubelet" /var/lib/kubelet
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
touch /run/ready
while :; do
    sleep 3600 &
    wait
done
"""

_ENTER = """#!/bin/sh
# {name}: run a program inside the node, in its control group; it ends with this process.
for file in {joins}; do echo $$ >"$file"; done
exec nsenter --target {pid} --mount --net --pid --ipc -- setpriv --pdeathsig KILL -- "$@"
"""


@dataclass(frozen=True)
class Namespaces:
    """A node's namespaces, held by their first process."""

    record: Record
    addresses: Addresses
    holder: Process

    @property
    def enter(self) -> Path:
        """A program: `enter COMMAND …` runs it inside."""
        return self.record.folder / "enter"

    def program(self, name: str, command: Sequence[str]) -> Process:
        """A program inside, not yet started."""
        at = self.record.folder / f"{name}.log"
        return Process(name, [str(self.enter), *command], at, {"PATH": PATH})

    def run(self, *command: str, seconds: float = 300.0) -> str:
        """What a command inside prints; RuntimeError when it fails."""
        done = subprocess.run(
            [self.enter, *command],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env={"PATH": PATH},
            stdin=subprocess.DEVNULL,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}, inside {self.record.name}: {done.stderr.strip() or done.stdout}")
        return done.stdout


def hold(record: Record) -> Namespaces:
    """New namespaces with a cable. AssertionError or RuntimeError with the reason where the machine refuses them."""
    folder = record.folder
    (folder / "kubelet").mkdir()
    command = ["unshare", "--mount", "--net", "--pid", "--ipc", "--propagation", "private", "--mount-proc", "--fork"]
    first = ["sh", "-c", _FIRST, "first", str(folder), str(Files(folder).images), str(_memory()), *_COVERED]
    holder = Process("namespaces", [*command, "--kill-child", *first], folder / "namespaces.log", {"PATH": PATH})
    holder.start()
    wait_until(lambda: not holder.runs or _ready(holder.pid), _START_SECONDS, holder.last_lines)
    if not holder.runs:
        raise RuntimeError(f"no namespaces for a node: {holder.last_lines()}")
    pid = _child(holder.pid)
    known = record.with_holder(pid)
    joins = " ".join(str(file) for file in cgroups.make(record.name))
    (folder / "enter").write_text(_ENTER.format(name=record.name, joins=joins, pid=pid))
    (folder / "enter").chmod(0o755)
    for file in joins.split():
        Path(file).write_text(str(pid))
    return Namespaces(known, _cable(record.name, pid), holder)


def _memory() -> int:
    """Bytes of memory for the images, 0 where they must lie on the disk.

    There 1.4 GB of images take 25 s to delete; in memory they go with the namespaces.
    """
    available = psutil.virtual_memory().available
    return available // 2 if available >= _SPARE else 0


def _child(pid: int) -> int:
    """The process that unshare forked; 0 while there is none."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else 0


def _ready(pid: int) -> bool:
    child = _child(pid)
    return child > 0 and Path(f"/proc/{child}/root/run/ready").exists()


def _cable(name: str, pid: int) -> Addresses:
    """Two ends: one here, one inside; a route to the node's networks through it. No route leads the node elsewhere."""
    inside = ["nsenter", "--target", str(pid), "--net", "--"]
    with locked():
        addresses = free(taken())
        _run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
        _run("ip", "address", "add", f"{addresses.machine}/30", "dev", name)
        _run("ip", "link", "set", name, "up")
        _run(*inside, "ip", "address", "add", f"{addresses.node}/30", "dev", "eth0")
        _run(*inside, "ip", "link", "set", "eth0", "up")
        _run("ip", "route", "add", str(addresses.block), "via", addresses.node, "dev", name)
    wait_until(lambda: _up(name), _START_SECONDS, f"the link {name} does not come up")
    return addresses


def _up(name: str) -> bool:
    shown = json.loads(_run("ip", "-json", "link", "show", "dev", name))
    return bool(shown[0]["operstate"] == "UP")


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": PATH})
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
