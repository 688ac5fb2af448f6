# SPDX-License-Identifier: Apache-2.0
"""Fuzzing: `python -m tests.fuzz [TARGET ...] --runs N`, one target after the other.

With atheris (the extra `fuzz`) the runs are guided by what code they reach; without it they are
random changes to the inputs that are kept. Log, new inputs, and the input that shows a fault lie in
build/fuzz/TARGET. The exit code is 0 only when no target has a fault.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.fuzz.mutation import MAX_INPUT_BYTES
from tests.fuzz.random_run import run_random
from tests.fuzz.registry import TARGETS
from tests.fuzz.target import Target

OUT: Final = Path("build/fuzz")
_MAX_SECONDS_OF_AN_INPUT: Final = 20

# Gives so many inputs to a target, by a seed: whether it has no fault, and what there is to say.
Run = Callable[[Target, int, int], tuple[bool, str]]


def main() -> int:
    """Run the targets that are named, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--runs", type=int, default=1_000_000, help="inputs for each (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of what is random (%(default)s)")
    chosen = parser.parse_args()
    if unknown := set(chosen.targets) - set(TARGETS):
        parser.error(f"there is no target {', '.join(sorted(unknown))}")
    guided = importlib.util.find_spec("atheris") is not None
    run = _run_guided if guided else _run_at_random
    print("guided by atheris" if guided else "at random: atheris is not installed")
    results = [
        _timed(run, TARGETS[name], chosen.runs, chosen.seed) for name in chosen.targets or TARGETS
    ]
    return 0 if all(results) else 1


def _timed(run: Run, target: Target, runs: int, seed: int) -> bool:
    """Whether a target has no fault; what came out is printed."""
    began = time.monotonic()
    faultless, found = run(target, runs, seed)
    seconds = time.monotonic() - began
    print(f"{target.name:14} {runs:9} runs {seconds:7.0f} s  {found}", flush=True)
    return faultless


def _run_guided(target: Target, runs: int, seed: int) -> tuple[bool, str]:
    folder = OUT / target.name
    inputs = folder / "corpus"
    inputs.mkdir(parents=True, exist_ok=True)
    command = [
        *(sys.executable, "-m", "tests.fuzz.guided_run", target.name),
        *(f"-runs={runs}", f"-seed={seed}", f"-max_len={MAX_INPUT_BYTES}"),
        *(f"-timeout={_MAX_SECONDS_OF_AN_INPUT}", f"-artifact_prefix={folder}/"),
        *(str(inputs), str(target.corpus)),
    ]
    log = folder / "log"
    with log.open("wb") as file:
        code = subprocess.run(command, stdout=file, stderr=file, check=False).returncode
    if code:
        return False, f"FAULT, see {log}"
    edges = re.findall(rb" cov: ([0-9]+)", log.read_bytes())
    return True, f"no fault, {int(edges[-1])} edges"


def _run_at_random(target: Target, runs: int, seed: int) -> tuple[bool, str]:
    try:
        run_random(target, runs, seed)
    except AssertionError as error:
        return False, f"FAULT: {error}: {error.__cause__!r}"
    return True, "no fault"


if __name__ == "__main__":
    sys.exit(main())
