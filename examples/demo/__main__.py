"""The tour that `make demo` runs: every stage of Mizzen on one machine, each step checked."""

import argparse
import signal
import sys
import time
from pathlib import Path

from steps import STEPS, Stage
from tour import StepFailedError, Tour


def main() -> int:
    """Run every step; 0 when all passed."""
    arguments = argparse.ArgumentParser(prog="demo", description=__doc__)
    arguments.add_argument("--llm", action="store_true", help="chat with SmolLM2-135M on vLLM (5.9 GB of packages)")
    arguments.add_argument("--data-dir", type=Path, default=Path(".mizzen/demo"), help="made anew at each run")
    options = arguments.parse_args()
    # Ended from outside, the tour still takes down what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    with Tour(options.data_dir.absolute()) as tour:
        stage = Stage(tour, llm=options.llm)
        passed = sum(1 for _ in run(stage))
    print(f"demo: {passed} of {len(STEPS)} steps passed in {time.monotonic() - began:.0f} s", flush=True)
    return 0 if passed == len(STEPS) else 1


def run(stage: Stage):
    """Yield once for each step that passed; stop at the first that did not, and say what to do."""
    for number, step in enumerate(STEPS, start=1):
        print(f"\n[{number}/{len(STEPS)}] {step.__doc__}", flush=True)
        began = time.monotonic()
        try:
            step(stage)
        except StepFailedError as failure:
            print(f"  FAILED: {failure}\n  Logs: {stage.tour.data_dir}/logs and .../pods", flush=True)
            return
        print(f"  passed in {time.monotonic() - began:.1f} s", flush=True)
        yield step


if __name__ == "__main__":
    sys.exit(main())
