"""The Triton runtime's own command on the real server: flags are taken, admin calls closed, the attendant works."""

import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager

import onnx
import pytest
from mizzen_cli.local.address import claim_address
from mizzen_engines import attendant
from mizzen_operator.engine_words import last_words
from mizzen_operator.kinds.model_deployment.artifact import Artifact
from mizzen_operator.kinds.model_deployment.desired import desired
from mizzen_operator.kinds.model_deployment.environment import PlanEnvironment
from mizzen_operator.observing.failures import LONGEST_MESSAGE
from mizzen_operator.runtimes.builtin import builtin_runtimes
from mizzen_operator.runtimes.local import localized
from support.deployments import deployment
from support.onnx_models import doubling
from support.triton import lay_out, tritonserver, wait_until_ready

KEPT_BYTES = 2048
"""The kubelet keeps so much of a log's end as a container's last words."""
ADMIN_KEY = "only-the-pod-knows"


@pytest.fixture
def repository(tmp_path):
    """A model laid out as the init container does."""
    (tmp_path / "model").mkdir()
    onnx.save(doubling(), str(tmp_path / "model" / "model.onnx"))
    repository = tmp_path / "repository"
    repository.mkdir()
    laid = lay_out(tmp_path / "model", repository, "double")
    assert laid.returncode == 0, laid.stderr
    return repository


@contextmanager
def started(tmp_path, repository):
    """Start the container's command as the template has it, with values for its variables."""
    claim = claim_address(f"runtime-{os.getpid()}")
    wanted = deployment("double", lifecycle={"drainSeconds": 20})
    runtime = localized(builtin_runtimes()["triton"])
    template = desired(
        wanted, runtime, Artifact("mizzen://mv_1", format="ONNX"), PlanEnvironment("i", "http://r", "http://o")
    ).revision.template
    container = template["spec"]["containers"][0]
    values = {one["name"]: one.get("value", "") for one in container["env"]}
    values |= {
        "POD_IP": claim.address,
        "MIZZEN_REPOSITORY_DIR": str(repository),
        "MIZZEN_ADMIN_KEY": ADMIN_KEY,
        "MIZZEN_SCRATCH_DIR": str(tmp_path),
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
    }
    command = [re.sub(r"\$\((\w+)\)", lambda found: values[found[1]], item) for item in container["command"]]
    log = tmp_path / "triton.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(tritonserver()), *command[1:]],
            env={"PATH": "/usr/bin:/bin", **values},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield values, process, log
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        claim.release()


@pytest.fixture
def engine(tmp_path, repository):
    """An engine that is ready."""
    with started(tmp_path, repository) as (values, process, log):
        wait_until_ready(values["POD_IP"], process, log)
        yield values, process


def refused(url: str, key: str | None) -> bool:
    request = urllib.request.Request(url, data=b"{}", headers={"mizzen-admin-key": key} if key else {})
    try:
        urllib.request.urlopen(request, timeout=5).close()
    except urllib.error.HTTPError as error:
        return b"restricted" in error.read()
    return False


def test_what_kubernetes_keeps_of_an_engine_that_cannot_load_its_model_begins_with_the_cause(tmp_path, repository):
    (program,) = repository.rglob("model.py")
    program.write_text("import nothing_of_that_name\n")
    with started(tmp_path, repository) as (_, process, log):
        assert process.wait(60) != 0
    words = last_words(log.read_bytes()[-KEPT_BYTES:].decode(), LONGEST_MESSAGE)
    assert "failed to load 'double' version 1" in words.splitlines()[0]
    assert "No module named 'nothing_of_that_name'" in words.splitlines()[0]


def test_the_engine_starts_warms_up_drains_and_ends_and_keeps_its_admin_calls_closed(engine, tmp_path):
    values, process = engine
    index = f"http://{values['POD_IP']}:8000/v2/repository/index"
    assert refused(index, None)
    assert refused(index, "guess")
    assert not refused(index, ADMIN_KEY)

    assert attendant.started(attendant.Engine(values), tmp_path, 2) == 0
    assert attendant.Engine(values).busy() == 0, "the metric that drain reads exists"

    hook = [sys.executable, attendant.__file__, "drain"]
    assert subprocess.run(hook, env=values, check=False, timeout=15).returncode == 0
    process.terminate()
    assert process.wait(15) == 0
    assert attendant.drain(attendant.Engine(values), 60, 2) == 0, "an engine that is gone is not waited for"
