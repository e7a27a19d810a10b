#!/bin/sh
# Sees to Python's shared library, against which Triton's Python backend is linked and which Debian packages apart.
# For machines that tests own: installs it where it lacks, root may, and apt-get is there; else says what to do.
set -eu
version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
found=$(python3 - <<'PYTHON'
import pathlib, sys, sysconfig

name = "libpython%d.%d.so.1.0" % sys.version_info[:2]
folders = [sysconfig.get_config_var("LIBDIR"), sys.base_prefix + "/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib64"]
print(next((folder for folder in folders if folder and (pathlib.Path(folder) / name).exists()), ""))
PYTHON
)
if [ -n "$found" ]; then
    echo "libpython$version is in $found"
elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -qq -y "libpython$version"
else
    echo "libpython$version lacks: install it (on Debian: apt-get install libpython$version), or Triton does not start" >&2
fi
