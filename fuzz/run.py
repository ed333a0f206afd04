"""Fuzz every reader of outside bytes, one after the other, each for some seconds. `make fuzz` calls it.

What is found is kept: inputs that reach new code in `build/fuzz/NAME/corpus`, those at which something was raised in `.../crashes`.
"""

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
NAMES = tuple(sorted(path.stem.removeprefix("fuzz_") for path in FOLDER.glob("fuzz_*.py")))
DONE = re.compile(r"#(\d+)\s+DONE\s+cov: (\d+)")
GRACE_S = 300


def run(name: str, seconds: int) -> str | None:
    """Fuzz one target and say what came of it.

    Args:
        name: Of the target.
        seconds: For how long.

    Returns:
        The end of its output if something was raised, else None.
    """
    corpus = ROOT / "build" / "fuzz" / name / "corpus"
    began = time.monotonic()
    command = [sys.executable, str(FOLDER / f"fuzz_{name}.py"), str(corpus), f"-max_total_time={seconds}"]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False, timeout=seconds + GRACE_S
        )
    except subprocess.TimeoutExpired:
        return f"{name}: did not end within {seconds + GRACE_S} s"
    said = done.stderr + done.stdout
    found = DONE.search(said)
    if done.returncode == 0 and found is not None:
        print(
            f"{name:<18} {int(found[1]):>9,} inputs  {found[2]:>6} places reached  {time.monotonic() - began:.0f} s  nothing raised",
            flush=True,
        )
        return None
    print(f"{name:<18} FAILED", flush=True)
    return said[-4_000:]


def main() -> int:
    """Fuzz; 1 if something was raised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("names", nargs="*", help=f"targets: {', '.join(NAMES)}")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(NAMES))
    if unknown:
        parser.error(f"{unknown[0]}: no target; there are {', '.join(NAMES)}")
    failed = [said for name in options.names or NAMES if (said := run(name, options.seconds)) is not None]
    print("\n\n".join(failed), end="\n" if failed else "")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
