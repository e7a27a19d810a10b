"""The gateway sets a switch of gRPC's that a later release may no longer have."""

import os
import subprocess
import sys

import pytest
from mizzen_gateway.__main__ import GRPC_EXPERIMENTS

LOADED = "import grpc; grpc.insecure_channel('127.0.0.1:9').close()"


@pytest.mark.parametrize(("experiments", "known"), [(GRPC_EXPERIMENTS, True), ("-no_such_switch", False)])
def test_grpc_knows_the_switch_that_the_gateway_sets(experiments: str, known: bool) -> None:
    environment = {**os.environ, "GRPC_EXPERIMENTS": experiments}
    said = subprocess.run([sys.executable, "-c", LOADED], env=environment, capture_output=True, text=True, check=True)
    assert ("Unknown experiment" not in said.stderr) is known
