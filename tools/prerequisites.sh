#!/bin/sh
# Sees to what the tests need of the machine and no package index has: curl, and Python's shared library, against which
# Triton's Python backend is linked and which Debian packages apart.
# `services` adds what the suite of real servers needs: Java 17 and Maven, for Keycloak.
# For machines that tests own: installs what lacks where root may and apt-get is there; else says what to do.
set -eu
version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')

has_library() {
    python3 - <<'PYTHON'
import pathlib, sys, sysconfig

name = "libpython%d.%d.so.1.0" % sys.version_info[:2]
folders = [sysconfig.get_config_var("LIBDIR"), sys.base_prefix + "/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib64"]
found = next((folder for folder in folders if folder and (pathlib.Path(folder) / name).exists()), "")
print(f"{name} is in {found}" if found else f"{name} lacks: without it Triton does not start")
sys.exit(not found)
PYTHON
}

has_curl() {
    command -v curl || { echo "curl lacks: transcripts of its calls need it"; return 1; }
}

has_java() {
    command -v java || { echo "java lacks: Keycloak runs on it"; return 1; }
}

has_maven() {
    command -v mvn || { echo "mvn lacks: it fetches Keycloak"; return 1; }
}

missing=
has_library || missing="$missing libpython$version"
has_curl || missing="$missing curl"
if [ "${1:-}" = services ]; then
    has_java || missing="$missing default-jre-headless"
    has_maven || missing="$missing maven"
fi
if [ -z "$missing" ]; then
    exit 0
elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # shellcheck disable=SC2086 # several names
    apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing
else
    echo "install them (on Debian: apt-get install$missing)" >&2
fi
