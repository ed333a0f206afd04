"""Every package of a default install has a wheel, with a hash from the lock, for each supported Python on each usual system.

Only the package index's pages are read; nothing is downloaded or installed. `make wheels` runs it, and so does a test.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).parent / "uv"
LOCK = ROOT / "requirements" / "base.txt"

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PLATFORMS = (
    "x86_64-manylinux_2_28",
    "aarch64-manylinux_2_28",
    "aarch64-apple-darwin",
    "x86_64-apple-darwin",
    "x86_64-pc-windows-msvc",
)
"""Alpine (musl) is not among them: DuckDB has no wheel for it."""


def missing(python: str, platform: str, lock: Path = LOCK) -> str:
    """What a Python on a platform would have to compile; empty where it is nothing.

    Args:
        python: Its version, such as `3.12`.
        platform: A target of `uv pip install --python-platform`.
        lock: The lock file.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [
            str(UV), "pip", "install", "--dry-run", "--target", folder, "--only-binary", ":all:", "--require-hashes",
            "--python-version", python, "--python-platform", platform, "--requirements", str(lock),
        ]  # fmt: skip
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else " ".join(done.stderr.split())


def main() -> int:
    """Look at every pair; 1 if one would need a compiler."""
    is_whole = True
    for python in PYTHONS:
        for platform in PLATFORMS:
            lacks = missing(python, platform)
            is_whole &= not lacks
            print(f"Python {python}  {platform:<24} {lacks or 'wheels for everything'}", flush=True)
    return 0 if is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
