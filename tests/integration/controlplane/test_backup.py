"""An installation that is restored knows its keys, goes on with its invoices' numbers, and its audit trail is whole."""

import hashlib
import io
import sqlite3
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from mizzen_cli.errors import CommandError
from mizzen_cli.local.backup import LIST, back_up
from mizzen_cli.local.data_folder import DataFolder, open_data_folder
from mizzen_cli.local.restoring import restore
from mizzen_controlplane.identity.key_secret import digest_of
from mizzen_controlplane.models.blob_folder import blob_path
from support.command_line import command_line
from support.controlplane import ControlPlane
from support.spending import UNIT, Spending, new_spending

MARCH, APRIL = datetime(2026, 3, 5, tzinfo=UTC), datetime(2026, 4, 5, tzinfo=UTC)
WEIGHTS = b"weights of a model"
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()


def on(root: Path) -> ControlPlane:
    """A control plane on a data folder, as `mizzen up` starts it."""
    url = f"sqlite+aiosqlite:///{root / 'controlplane' / 'mizzen.db'}"
    tokens = {name: (root / "secrets" / name).read_text() for name in ("admin", "gateway")} if root.exists() else {}
    return ControlPlane(root, url, environment={"MIZZEN_DATA_DIR": str(root / "controlplane")}, tokens=tokens)


def charged(spending: Spending, at: datetime, month: str) -> str:
    """Spend and finalize; the invoice's number."""
    with spending.controlplane.client() as admin:
        card = {"name": "card", "project": spending.project, "prices": [{"model": "m", "per_request": "0.01"}]}
        version = admin.post("/api/v1/rate-cards", json=card).json()["version_id"]
    spending.send(spending.event(started_at=at, cost_pico=UNIT // 100, rate_card_id=version, model="m"))
    answer = spending.admin("POST", f"/invoices/{month}:finalize")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["number"])


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[ControlPlane, Spending, Path, str]:
    """An installation with a key, an invoice and an artifact; its backup, made while it ran; the key's secret."""
    root = tmp_path_factory.mktemp("backup") / "data"
    folder = open_data_folder(root, create=True)
    assert folder is not None
    (root / "secrets").rmdir()  # as a new one: the builder makes all secrets
    plane = ControlPlane(
        root,
        f"sqlite+aiosqlite:///{root / 'controlplane' / 'mizzen.db'}",
        environment={"MIZZEN_DATA_DIR": str(root / "controlplane")},
    )
    with plane:
        spending = new_spending(plane)
        secret = spending.admin("POST", "/keys", json={"name": "saved"}).json()["secret"]
        blob = blob_path(root / "controlplane", DIGEST)
        blob.parent.mkdir(parents=True)
        blob.write_bytes(WEIGHTS)
        (root / "controlplane" / "blobs" / "lock").touch()  # as after a push
        assert charged(spending, MARCH, "2026-03") == "INV-000001"
        back_up(folder, root.parent / "saved.tar")
        assert spending.admin("POST", "/keys", json={"name": "later"}).status_code == 201
    return plane, spending, root.parent / "saved.tar", secret


Saved = tuple[ControlPlane, Spending, Path, str]


def test_what_was_saved_while_it_ran_works_again(saved: Saved, tmp_path: Path) -> None:
    _, before, file, secret = saved
    root = tmp_path / "data"
    contents, aside = restore(file, root, force=False)
    assert aside is None
    with on(root) as plane:
        spending = Spending(plane, *[getattr(before, name) for name in list(before.__dataclass_fields__)[1:]])
        assert [key["name"] for key in spending.admin("GET", "/keys").json()["items"]].count("saved") == 1
        pepper = (root / "secrets" / "pepper").read_bytes()
        digest = digest_of(pepper, secret.split("_")[2][:43])
        database = sqlite3.connect(root / "controlplane" / "mizzen.db")
        assert database.execute("SELECT name FROM api_key WHERE digest = ?", (digest,)).fetchall() == [("saved",)]
        database.close()
        assert charged(spending, APRIL, "2026-04") == "INV-000002"
        with plane.client() as admin:
            report = admin.get("/api/v1/audit-events:verify").json()
        assert report["whole"], report
    assert blob_path(root / "controlplane", DIGEST).read_bytes() == WEIGHTS
    assert {path.stat().st_mode & 0o777 for path in (root / "secrets").iterdir()} == {0o600}
    assert file.stat().st_mode & 0o777 == 0o600
    assert contents.files["secrets/pepper"]


def test_an_installation_in_the_way_is_put_aside_by_force_alone(saved: Saved, tmp_path: Path) -> None:
    shell = command_line(tmp_path, "http://127.0.0.1:1", "http://127.0.0.1:1", "t")
    root = tmp_path / "data"
    open_data_folder(root, create=True)
    refused = shell("restore", saved[2], "--data-dir", root, code=2)
    assert "--force" in refused.err
    done = shell("restore", saved[2], "--data-dir", root, "--force", "-o", "json").json
    assert (Path(done["aside"]) / "mizzen.json").exists()
    assert (root / "secrets" / "pepper").exists()
    again = shell("backup", tmp_path / "again.tar", "--data-dir", root, "-o", "json").json
    assert again["files"] == done["files"]
    assert "exists" in shell("backup", tmp_path / "again.tar", "--data-dir", root, code=2).err


def test_a_folder_of_somebody_else_is_left_alone(saved: Saved, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "letter.txt").write_text("mine")
    with pytest.raises(CommandError, match="no data folder of Mizzen"):
        restore(saved[2], tmp_path / "theirs", force=True)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        (f"controlplane/blobs/sha256/{DIGEST[:2]}/{DIGEST}", b"other weights", "is not what was saved"),
        ("secrets/../../../evil", b"x", "does not belong"),
        ("/etc/passwd", b"x", "does not belong"),
        (LIST, b"{}", "no list of its content"),
        ("controlplane/mizzen.db", b"no database", "is not what was saved"),
        (None, b"", "list and its content differ"),
    ],
)
def test_a_damaged_or_hostile_file_changes_nothing(
    saved: Saved, tmp_path: Path, name: str | None, content: bytes, sentence: str
) -> None:
    file = rewritten(saved[2], tmp_path / "bad.tar", name, content)
    with pytest.raises(CommandError, match=sentence):
        restore(file, tmp_path / "place" / "data", force=False)
    assert [path.name for path in tmp_path.rglob("*") if path.name != "place"] == ["bad.tar"]


def test_a_file_cut_short_changes_nothing(saved: Saved, tmp_path: Path) -> None:
    (tmp_path / "cut.tar").write_bytes(saved[2].read_bytes()[: 1 << 14])
    with pytest.raises(CommandError, match="no whole backup"):
        restore(tmp_path / "cut.tar", tmp_path / "data", force=False)
    assert [path.name for path in tmp_path.iterdir()] == ["cut.tar"]


def test_a_backup_of_a_newer_release_is_refused(saved: Saved, tmp_path: Path) -> None:
    with tarfile.open(saved[2]) as archive:
        listed = orjson.loads(archive.extractfile(LIST).read())  # type: ignore[union-attr]  # it is there
    newer = rewritten(saved[2], tmp_path / "newer.tar", LIST, orjson.dumps({**listed, "schema": "9999"}))
    with pytest.raises(CommandError, match="Restore it with that release"):
        restore(newer, tmp_path / "data", force=False)


def test_a_folder_without_database_is_nothing_to_save(tmp_path: Path) -> None:
    folder = open_data_folder(tmp_path / "data", create=True)
    assert isinstance(folder, DataFolder)
    with pytest.raises(CommandError, match="no database yet"):
        back_up(folder, tmp_path / "x.tar")


def rewritten(source: Path, target: Path, name: str | None, content: bytes) -> Path:
    """A copy of a backup in which `name` holds `content`, listed or not; for None, without its last blob."""
    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        listed = orjson.loads(old.extractfile(LIST).read())  # type: ignore[union-attr]  # it is there
        if name and name != LIST and name not in listed["files"]:
            listed["files"][name] = hashlib.sha256(content).hexdigest()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            new.addfile(entry, io.BytesIO(content))
        for member in old:
            text = old.extractfile(member).read()  # type: ignore[union-attr]  # all are files
            if member.name == LIST:
                text = orjson.dumps(listed)
            if member.name == name:
                text = content
            if name is None and "blobs" in member.name:
                continue
            member.size = len(text)
            new.addfile(member, io.BytesIO(text))
    return target
