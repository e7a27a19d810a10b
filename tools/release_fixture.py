"""Keeps what later releases are tested against: definitions, chart, database schema, wheels, a data folder.

Run once a release (`make release-fixture`); the result is committed and never changed again: what is there is rewritten
with --rewrite alone, since a release compared with what came after it proves nothing.
"""

import argparse
import asyncio
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from mizzen_controlplane.kit.database import open_database
from mizzen_controlplane.schema import upgrade

ROOT = Path(__file__).resolve().parents[1]


def keep_definitions(release: Path) -> None:
    """The CRD YAML, as it is."""
    folder = release / "crds"
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted((ROOT / "crds").glob("*.yaml")):
        shutil.copyfile(file, folder / file.name)


def keep_chart(release: Path) -> None:
    """Both charts."""
    shutil.copytree(ROOT / "charts", release / "charts", dirs_exist_ok=True)


def keep_wheels(release: Path) -> None:
    """One wheel a member."""
    uv = shutil.which("uv") or str(ROOT / ".uv/bin/uv")
    shutil.rmtree(release / "wheels", ignore_errors=True)
    command = [uv, "build", "--all-packages", "--wheel", "--quiet", "--out-dir", str(release / "wheels")]
    subprocess.run(command, cwd=ROOT, check=True)
    (release / "wheels/.gitignore").unlink(missing_ok=True)  # uv keeps its output out of Git; this one belongs in it


def keep_database(release: Path) -> None:
    """The schema as SQL after all migrations, and the revision that it is at."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "schema.sqlite"
        asyncio.run(_migrated(f"sqlite+aiosqlite:///{file}"))
        (release / "schema.sql").write_text("\n".join(_dumped(file)) + "\n")


async def _migrated(url: str) -> None:
    database = open_database(url)
    try:
        await upgrade(database)
    finally:
        await database.close()


def _dumped(database: Path) -> Iterator[str]:
    with closing(sqlite3.connect(database)) as connection:
        query = (
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type DESC, name"
        )
        yield from (f"{statement};" for (statement,) in connection.execute(query))
        for (revision,) in connection.execute("SELECT version_num FROM alembic_version"):
            yield f"INSERT INTO alembic_version VALUES ('{revision}');"


def keep_data_folder(release: Path, data_folder: Path) -> None:
    """A stopped data folder of the embedded mode, as an archive; logs and secrets are left out."""
    with tempfile.TemporaryDirectory() as staging:
        copy = Path(staging) / "data"
        shutil.copytree(
            data_folder,
            copy,
            ignore=shutil.ignore_patterns("logs", "*.log", "secrets", "pods", "*.sock", "config.yaml"),
        )
        shutil.make_archive(str(release / "data-folder"), "gztar", root_dir=copy)


PARTS = {"definitions": keep_definitions, "chart": keep_chart, "wheels": keep_wheels, "database": keep_database}
PLACES = {
    "definitions": "crds",
    "chart": "charts",
    "wheels": "wheels",
    "database": "schema.sql",
    "data folder": "data-folder.tar.gz",
}
"""Where each part lies below the release."""


def refusal(release: Path, parts: Iterable[str]) -> str:
    """Why these parts may not be written; empty where none of them is there."""
    there = sorted(PLACES[part] for part in parts if (release / PLACES[part]).exists())
    if not there:
        return ""
    return (
        f"{release.name} has {', '.join(there)} already, and is what later releases are held to: "
        "give another --name, or --rewrite where it was never released"
    )


def main(arguments: Sequence[str] | None = None, releases: Path = ROOT / "tests/releases") -> int:
    """Write tests/releases/<version>/; exit code 2 where that would rewrite it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-folder", type=Path, help="a stopped data folder to keep as well")
    parser.add_argument("--only", choices=list(PARTS), help="one part alone")
    parser.add_argument(
        "--rewrite", action="store_true", help="write parts anew that are there; never for what is released"
    )
    parser.add_argument("--name", help="folder, such as that of a release candidate; by default the version")
    chosen = parser.parse_args(arguments)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    release = releases / (chosen.name or version)
    wanted = [name for name in PARTS if chosen.only in (None, name)] + ["data folder"] * bool(chosen.data_folder)
    if not chosen.rewrite and (sentence := refusal(release, wanted)):
        print(sentence, file=sys.stderr)
        return 2
    release.mkdir(parents=True, exist_ok=True)
    for name, keep in PARTS.items():
        if chosen.only in (None, name):
            keep(release)
            print(f"{release}: {name} kept")
    if chosen.data_folder:
        keep_data_folder(release, chosen.data_folder)
        print(f"{release}: data folder kept")
    return 0


if __name__ == "__main__":
    sys.exit(main())
