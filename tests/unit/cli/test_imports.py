"""What every command waits for: nothing that only some commands need is loaded before they run."""

import subprocess
import sys

HEAVY = (
    "mizzen_crds.v1alpha1.model_deployment",
    "mizzen_operator",
    "mizzen_controlplane",
    "mizzen_gateway",
    "sqlalchemy",
)


def test_no_command_loads_the_types_or_another_program_before_it_needs_them() -> None:
    code = "import sys, mizzen_cli.main; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "mizzen_cli.commands.deployments" in loaded
    assert [name for name in loaded if name.startswith(HEAVY)] == []
