#!/bin/sh
# May this machine run containers? A node needs root, Debian's packages, namespaces, mounts and a control group. Prints
# what is refused, and exits 1.
refused() {
    echo "a node that runs containers needs $1"
    exit 1
}

[ "$(id -u)" = 0 ] || refused "root"
command -v apt-get >/dev/null || refused "Debian's packages; there is no apt-get"
unshare --mount --net --pid --fork mount -t tmpfs none /mnt 2>/dev/null || refused "namespaces and mounts of its own"

control=/sys/fs/cgroup
[ -e "$control/cgroup.controllers" ] || control=$control/memory
group="$control/mizzen-may-run-$$"
mkdir "$group" 2>/dev/null || refused "a control group of its own below $control"
rmdir "$group"
