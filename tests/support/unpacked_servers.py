"""Servers from Debian's packages with the libraries that a bare machine lacks: Redis and PgBouncer, not installed."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from support.debian_programs import unpacked


@dataclass(frozen=True)
class UnpackedProgram:
    """A program, and what it needs around it."""

    path: Path
    environment: dict[str, str]
    """Where its libraries are."""


def unpacked_redis() -> UnpackedProgram:
    """Redis 7.0. Debian has one program for server and tools, which does what its name says when it is started."""
    return _program("redis-tools", "redis-check-rdb", ("liblzf1", "libjemalloc2", "libatomic1"))


def unpacked_pgbouncer() -> UnpackedProgram:
    """PgBouncer 1.18."""
    return _program("pgbouncer", "pgbouncer", ("libevent-2.1-7", "libc-ares2"))


def _program(package: str, program: str, libraries: Sequence[str]) -> UnpackedProgram:
    folders = [unpacked(name) for name in (package, *libraries)]
    found = next(path for folder in folders for path in folder.glob(f"usr/*bin/{program}"))
    places = [str(place) for folder in folders for place in folder.glob("usr/lib/*-linux-gnu")]
    known = [place for place in os.environ.get("LD_LIBRARY_PATH", "").split(":") if place]
    return UnpackedProgram(found, {"LD_LIBRARY_PATH": ":".join([*places, *known])})
