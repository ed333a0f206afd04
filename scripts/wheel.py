"""The wheel of the checked-out commit, built twice in different folders at different times: the bytes must be the same.

`make wheel` leaves it in `dist/` with its SHA-256. Whoever builds the same commit with the same uv gets the same file.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).parent / "uv"
TAR = "import sys, tarfile; tarfile.open(fileobj=sys.stdin.buffer, mode='r|').extractall(sys.argv[1], filter='data')"


def git(*arguments: str) -> bytes:
    """What git says about this repository."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout


def build(folder: Path, *, epoch: int, umask: int, zone: str) -> Path:
    """Build the commit in a folder of its own.

    Args:
        folder: Is made.
        epoch: Time of the commit, seconds.
        umask: Rights that files are made without: another one must change nothing.
        zone: Time zone of the build: another one must change nothing.
    """
    source = folder / "source"
    source.mkdir(parents=True)
    subprocess.run([sys.executable, "-c", TAR, str(source)], input=git("archive", "HEAD"), check=True, umask=umask)
    subprocess.run(
        [str(UV), "build", "--wheel", "--quiet", "--offline", "--out-dir", str(folder / "out"), str(source)],
        check=True,
        umask=umask,
        env=os.environ | {"SOURCE_DATE_EPOCH": str(epoch), "TZ": zone},
    )
    (made,) = (folder / "out").glob("*.whl")
    return made


def faults(wheel: Path) -> list[str]:
    """What must not be in a wheel: files beside the package, files that run at every start of Python, installers' scripts.

    Args:
        wheel: The file.
    """
    found = []
    for name in zipfile.ZipFile(wheel).namelist():
        top = name.split("/")[0]
        if top != "undertow" and not top.endswith(".dist-info"):
            found.append(f"{name}: is outside the package")
        if name.endswith((".pth", ".start")) or name.rsplit("/", 1)[-1] in {"sitecustomize.py", "usercustomize.py"}:
            found.append(f"{name}: would run at every start of Python")
        if name.endswith((".so", ".pyd", ".dylib", ".pyc")):
            found.append(f"{name}: is compiled")
    return found


def main() -> int:
    """Build, compare, look inside; 1 if something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    out = parser.parse_args().out
    epoch = int(git("log", "-1", "--format=%ct"))
    with tempfile.TemporaryDirectory() as place:
        first = build(Path(place) / "a", epoch=epoch, umask=0o022, zone="UTC")
        second = build(Path(place) / "another-place" / "b", epoch=epoch, umask=0o077, zone="Asia/Kathmandu")
        content = first.read_bytes()
        if content != second.read_bytes():
            print(f"{first.name}: two builds of the same commit differ")
            return 1
        wrong = faults(first)
        if wrong:
            print("\n".join(wrong))
            return 1
        out.mkdir(parents=True, exist_ok=True)
        (out / first.name).write_bytes(content)
    if git("status", "--porcelain"):
        print("The working tree has changes that are in no commit; the wheel is that of the commit.")
    print(f"{out / first.name}: two builds are the same, SHA-256 {hashlib.sha256(content).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
