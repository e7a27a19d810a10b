"""Every import contract turns red when it is broken once, and is green in an untouched copy."""

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from house_rules import ROOT

MEMBERS = ("crds", "kube", "operator", "controlplane", "gateway", "engines", "client", "cli")

BREACHES = {
    "shared": ("mizzen_gateway/breach_shared.py", "import mizzen_controlplane\n"),
    "kube": ("mizzen_kube/errors.py", "import mizzen_kube.api\n"),
    "pure-types": ("mizzen_crds/breach_types.py", "import yaml\n"),
    "pure-plan": ("mizzen_operator/kinds/breach_plan.py", "import asyncio\n"),
    "gateway": ("mizzen_gateway/wire/breach_wire.py", "import mizzen_gateway.pipeline\n"),
    "gateway-no-framework": ("mizzen_gateway/breach_framework.py", "import fastapi\n"),
    "controlplane-domains": (
        "mizzen_controlplane/identity/models.py",
        "import mizzen_controlplane.identity.endpoints\n",
    ),
    "controlplane-kit": ("mizzen_controlplane/kit/breach_kit.py", "import mizzen_controlplane.identity.models\n"),
}


def _contracts() -> dict[str, str]:
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    sections = [name for name in parser.sections() if name.startswith("importlinter:contract:")]
    return {name.rsplit(":", 1)[-1]: parser[name]["name"] for name in sections}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The programs' sources, to be broken."""
    for member in MEMBERS:
        (package,) = (ROOT / member / "src").glob("mizzen_*")
        shutil.copytree(package, tmp_path / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / ".importlinter", tmp_path / ".importlinter")
    return tmp_path


def _verdicts(folder: Path) -> dict[str, str]:
    """Contract -> KEPT or BROKEN; long names are wrapped in the output, so their lines are joined."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    environment = os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200"}
    output = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False).stdout
    flat = " ".join(output.split())
    return {
        contract: flat[flat.index(name) + len(name) :].split()[0] if name in flat else "not run"
        for contract, name in _contracts().items()
    }


def test_every_contract_has_a_breach() -> None:
    assert set(BREACHES) == set(_contracts())


def test_every_contract_turns_red_when_it_is_broken(copy: Path) -> None:
    for file, line in BREACHES.values():
        with (copy / file).open("a") as stream:
            stream.write(line)
    assert _verdicts(copy) == dict.fromkeys(BREACHES, "BROKEN")


def test_one_breach_turns_one_contract_red(copy: Path) -> None:
    file, line = BREACHES["controlplane-kit"]
    (copy / file).write_text(line)
    assert [contract for contract, verdict in _verdicts(copy).items() if verdict == "BROKEN"] == ["controlplane-kit"]
