"""Everything that CI runs: format, lint, types, layers, spelling, then the tests. `make test` and `make check` call it.

Every step runs even when an earlier one failed, so that one run shows everything; pytest comes last, so its closing line ends the output.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
COLOUR = re.compile(r"\x1b\[[0-9;]*m")

MAX_LINES = 60


@dataclass(frozen=True, slots=True)
class Step:
    """One check: its name, the command, and what mends it."""

    name: str
    command: tuple[str, ...]
    hint: str = ""


STATIC: tuple[Step, ...] = (
    Step(
        "format",
        ("ruff", "format", "--check", "--quiet", "--output-format", "concise", "."),
        "mend with: .venv/bin/ruff format .",
    ),
    Step("lint", ("ruff", "check", "--quiet", "--output-format", "concise", ".")),
    Step("types", ("pyrefly", "check", "--output-format", "min-text", "--summary=none")),
    Step("layers", ("lint-imports", "--no-cache", "--no-logo")),
    Step("spelling", ("typos", "--format", "brief")),
    Step("docs", ("zensical", "build", "--strict")),
)


def run(step: Step) -> bool:
    """Run one step; show its output only where it failed."""
    began = time.perf_counter()
    command = (str(BIN / step.command[0]), *step.command[1:])
    plain = os.environ | {"NO_COLOR": "1", "COLUMNS": "160"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=plain)
    took_s = time.perf_counter() - began
    print(f"{step.name:<10} {'ok' if done.returncode == 0 else 'FAILED'}  {took_s:.1f} s", flush=True)
    if done.returncode != 0:
        lines = COLOUR.sub("", done.stdout + done.stderr).strip().splitlines()
        print("\n".join(lines[:MAX_LINES]), flush=True)
        if len(lines) > MAX_LINES:
            print(f"... and {len(lines) - MAX_LINES} more lines: {' '.join(step.command)}", flush=True)
        if step.hint:
            print(step.hint, flush=True)
    return done.returncode == 0


def tests(arguments: list[str]) -> bool:
    """The tests, in an order drawn anew each time, on as many processes as there are cores, at most four."""
    processes = min(os.cpu_count() or 1, 4)
    seed = time.time_ns() % 2**31
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-n",
        str(processes),
        "--dist",
        "loadfile",
        "--no-loadscope-reorder",  # the order of tests/conftest.py: files with few tests have the long ones
        f"--randomly-seed={seed}",
        *arguments,
    ]
    print(f"tests      {' '.join(command[1:])}  (the same order again: the same seed)", flush=True)
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def main() -> int:
    """Run all steps; the exit status says whether each of them passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--static-only", action="store_true", help="format, lint, types, layers, spelling and docs only"
    )
    parser.add_argument("pytest", nargs="*", help="arguments for pytest, after --")
    options = parser.parse_args()
    failed = [step.name for step in STATIC if not run(step)]
    if failed:
        print(f"failed: {', '.join(failed)}", flush=True)
    tests_passed = options.static_only or tests(options.pytest)
    return 0 if tests_passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
