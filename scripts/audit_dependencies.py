"""Hold every locked package against the published advisories, and say so plainly where that could not be done.

pip-audit ends with "No known vulnerabilities found" and status 0 also when a mirror could tell it nothing of any package. Here a package that
was not looked up is a failure of its own: exit status 2 means that nothing was learnt, 1 that an advisory applies, 0 that none does.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from locked import read_lock

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("base", "dev", "local", "fuzz", "supply", "bootstrap")
TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Audited:
    """What an audit of one lock file found.

    Attributes:
        clean: How many packages were looked up and have no advisory.
        affected: `NAME VERSION: ID (mended in VERSIONS)`, one line an advisory.
        unknown: Names of packages that could not be looked up.
    """

    clean: int
    affected: tuple[str, ...]
    unknown: tuple[str, ...]


def audited(document: dict[str, Any]) -> Audited:
    """Read pip-audit's JSON.

    Args:
        document: With a list `dependencies`.
    """
    clean, affected, unknown = 0, [], []
    for found in document["dependencies"]:
        if "skip_reason" in found:
            unknown.append(found["name"])
        elif found["vulns"]:
            for advisory in found["vulns"]:
                mended = ", ".join(advisory["fix_versions"]) or "no version yet"
                affected.append(f"{found['name']} {found['version']}: {advisory['id']} (mended in {mended})")
        else:
            clean += 1
    return Audited(clean, tuple(affected), tuple(unknown))


def without_markers(lock: Path) -> list[str]:
    """The lock as requirements for every Python and system, since pip-audit leaves out what is not installed on its own.

    Args:
        lock: The lock file.

    Returns:
        As many texts as there are versions of the package that has most of them.
    """
    texts: list[dict[str, str]] = []
    for entry in read_lock(lock):
        hashes = "".join(f" --hash=sha256:{content}" for content in entry.hashes)
        place = next((text for text in texts if entry.name not in text), None)
        if place is None:
            texts.append(place := {})
        place[entry.name] = f"{entry.name}=={entry.version}{hashes}\n"
    return ["".join(text.values()) for text in texts]


def look_up(lock: Path, service: str, url: str | None) -> Audited | str:
    """Audit one lock file; a sentence where the service was not reached.

    Args:
        lock: The lock file.
        service: `pypi` or `osv`.
        url: Of OSV's query, where it is another than the usual one.
    """
    parts: list[Audited] = []
    for text in without_markers(lock):
        with tempfile.TemporaryDirectory() as folder:
            (path := Path(folder) / lock.name).write_text(text, encoding="utf-8")
            found = _look_up(path, service, url)
        if isinstance(found, str):
            return found
        parts.append(found)
    return Audited(
        sum(part.clean for part in parts),
        tuple(line for part in parts for line in part.affected),
        tuple(name for part in parts for name in part.unknown),
    )


def _look_up(lock: Path, service: str, url: str | None) -> Audited | str:
    command = [
        sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json",
        "--vulnerability-service", service, "--requirement", str(lock), *(["--osv-url", url] if url else []),
    ]  # fmt: skip
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"{lock.name}: the service {service!r} did not answer in {TIMEOUT_S:.0f} s"
    try:
        return audited(json.loads(done.stdout))
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return f"{lock.name}: the service {service!r} was not reached: {last[:200]}"


def main() -> int:
    """Audit the lock files; the exit status says what was learnt."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--service", choices=("osv", "pypi"), default="osv", help="where advisories are asked for")
    parser.add_argument("--osv-url", help="another address of OSV's query")
    parser.add_argument("locks", nargs="*", default=LOCKS, help="names of lock files in requirements/")
    options = parser.parse_args()
    is_affected, is_unknown = False, False
    for name in options.locks:
        found = look_up(ROOT / "requirements" / f"{name}.txt", options.service, options.osv_url)
        if isinstance(found, str):
            is_unknown = True
            print(found, flush=True)
            continue
        is_affected |= bool(found.affected)
        is_unknown |= bool(found.unknown)
        rest = f", {len(found.unknown)} not looked up" if found.unknown else ""
        print(
            f"{name}.txt: {found.clean} packages without advisories, {len(found.affected)} advisories{rest}", flush=True
        )
        for line in found.affected:
            print(f"  {line}", flush=True)
    if is_affected:
        print("An advisory applies: raise the version with `make lock`, or say in requirements/ why it does not.")
        return 1
    if is_unknown:
        print(
            "Nothing is known of some packages, which is not the same as their being clean: run this where"
            " https://api.osv.dev (or, with SERVICE=pypi, https://pypi.org itself and no mirror) can be reached."
        )
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
