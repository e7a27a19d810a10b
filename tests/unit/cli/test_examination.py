"""What `mizzen doctor` finds on this machine."""

import asyncio
import socket
from pathlib import Path

from mizzen_cli.examination import Finding, examine
from mizzen_cli.local.ports import Ports


def findings(folder: Path) -> dict[str, Finding]:
    return {each.name: each for each in asyncio.run(examine(folder))}


def test_each_check_tells_its_state_and_what_lacks_tells_a_remedy(tmp_path: Path) -> None:
    found = findings(tmp_path)
    assert {"machine", "python", "triton's python", "uv", "data folder", "disk", "ports"} <= found.keys()
    assert all(each.remedy for each in found.values() if each.state != "ok")


def test_a_folder_that_does_not_exist_yet_is_judged_by_the_one_it_would_be_made_in(tmp_path: Path) -> None:
    assert findings(tmp_path / "not" / "there")["data folder"].state == "ok"


def test_a_folder_of_a_newer_version_is_told_in_its_row_and_the_rest_is_examined(tmp_path: Path) -> None:
    (tmp_path / "mizzen.json").write_text('{"layout": 999, "id": "x"}')
    assert {"data folder", "disk", "ports"} <= findings(tmp_path).keys()


def test_a_taken_port_is_named_with_the_options_that_choose_others(tmp_path: Path) -> None:
    port = Ports().controlplane
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind(("127.0.0.1", port))
            holder.listen()
        except OSError:
            pass  # somebody else holds it, which is the same to the examination
        found = findings(tmp_path)["ports"]
    assert str(port) in found.detail
    assert "--port" in found.remedy
