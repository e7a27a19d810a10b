"""Sockets below a pod's temporary folder."""

import socket
import uuid
from pathlib import Path

from mizzen_cli.local.pod.short_folder import remove_short_folder, short_folder


def deep_folder(root: Path) -> Path:
    folder = root / ("data-" * 12) / "pods" / "default" / "model-0123456789-abcde" / "volumes" / "scratch"
    folder.mkdir(parents=True)
    return folder


def test_a_socket_fits_below_the_temporary_folder_of_a_deep_sandbox(tmp_path: Path) -> None:
    folder = deep_folder(tmp_path)
    short = short_folder(folder, folder.parent)
    name = str(uuid.uuid4())
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(short / name))
    assert (folder / name).is_socket()
    remove_short_folder(folder.parent)
    assert not short.exists()
    assert folder.exists()


def test_a_folder_that_is_short_enough_is_used_as_it_is() -> None:
    assert short_folder(Path("/a/scratch"), Path("/a")) == Path("/a/scratch")


def test_asking_twice_gives_the_same_way_and_removing_twice_is_fine(tmp_path: Path) -> None:
    folder = deep_folder(tmp_path)
    assert short_folder(folder, folder.parent) == short_folder(folder, folder.parent)
    remove_short_folder(folder.parent)
    remove_short_folder(folder.parent)
    assert folder.exists()
