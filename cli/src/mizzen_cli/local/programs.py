"""The three programs of an installation: their commands, their environment, and how to ask whether they are ready."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from mizzen_cli.local.data_folder import DataFolder
from mizzen_cli.local.pod.sandbox import FOLDER_MARKER
from mizzen_cli.local.ports import HOST, Ports
from mizzen_cli.local.spawn import base_environment, installer_environment


@dataclass(frozen=True)
class Program:
    """How one program is started."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    ready_url: str
    stop_seconds: float
    """How long it may take to end after SIGTERM."""


def controlplane_url(ports: Ports) -> str:
    """Where the control plane answers."""
    return f"http://{HOST}:{ports.controlplane}"


def gateway_url(ports: Ports) -> str:
    """Where models are called."""
    return f"http://{HOST}:{ports.gateway}"


def operator_url(ports: Ports) -> str:
    """Where the runner takes load and progress."""
    return f"http://{HOST}:{ports.runner}"


def programs(folder: DataFolder, ports: Ports) -> tuple[Program, ...]:
    """All programs, in the order of their start."""
    common = {**base_environment(), FOLDER_MARKER: folder.id, "MIZZEN_HOST": HOST}
    upstream = {"MIZZEN_CONTROLPLANE_URL": controlplane_url(ports)}
    shown = {"MIZZEN_GATEWAY_URL": gateway_url(ports)}
    return (
        Program(
            "controlplane",
            (sys.executable, "-m", "mizzen_controlplane"),
            {
                **common,
                **shown,
                "MIZZEN_DATABASE_URL": f"sqlite+aiosqlite:///{folder.controlplane / 'mizzen.db'}",
                "MIZZEN_DATA_DIR": str(folder.controlplane),
                "MIZZEN_PODS_DIR": str(folder.pods),
                "MIZZEN_SECRETS_DIR": str(folder.secrets),
                "MIZZEN_PORT": str(ports.controlplane),
            },
            f"{controlplane_url(ports)}/readyz",
            10.0,
        ),
        Program(
            "gateway",
            (sys.executable, "-m", "mizzen_gateway"),
            {
                **common,
                **upstream,
                "MIZZEN_TOKEN_FILE": str(folder.secrets / "gateway"),
                "MIZZEN_PEPPER_FILE": str(folder.secrets / "pepper"),
                "MIZZEN_DATA_DIR": str(folder.gateway),
                "MIZZEN_PORT": str(ports.gateway),
                "MIZZEN_ADMIN_PORT": str(ports.gateway_admin),
                "MIZZEN_OPERATOR_URL": operator_url(ports),
                "MIZZEN_GATEWAY_NAME": "gateway-0",
                **({"MIZZEN_GRPC_PORT": str(ports.grpc)} if ports.grpc else {}),
            },
            f"http://{HOST}:{ports.gateway_admin}/readyz",
            30.0,
        ),
        Program(
            "runner",
            (sys.executable, "-m", "mizzen_cli.local.runner"),
            {
                **common,
                **upstream,
                **shown,
                **installer_environment(),
                "MIZZEN_TOKEN_FILE": str(folder.secrets / "runner"),
                "MIZZEN_DATA_DIR": str(folder.root),
                "MIZZEN_SECRETS_DIR": str(folder.secrets),
                "MIZZEN_OPERATOR_PORT": str(ports.runner),
            },
            f"{operator_url(ports)}/readyz",
            10.0,
        ),
    )
