"""What a lock file of `requirements/` says: each package with its version, marker, hashes and who asked for it."""

import re
from dataclasses import dataclass, field
from pathlib import Path

PINNED = re.compile(r"(?P<name>[a-z0-9][a-z0-9.-]*)==(?P<version>[^ ;\\]+)(?: ; (?P<marker>[^\\]+?))?(?: \\)?")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
ASKED_BY = re.compile(r"#(?: via)?\s+(?P<asker>\S.*)")


@dataclass(slots=True)
class Locked:
    """One entry.

    Attributes:
        name: Normalised name of the package.
        version: The exact version.
        marker: Where it is installed (PEP 508), or None: everywhere.
        hashes: SHA-256 of every file that may be installed, in hexadecimal digits.
        asked_by: Names of the packages that need it; `undertow` where the project does itself.
    """

    name: str
    version: str
    marker: str | None = None
    hashes: list[str] = field(default_factory=list)
    asked_by: list[str] = field(default_factory=list)


def read_lock(path: Path) -> list[Locked]:
    """The entries of a lock file, in its order.

    Args:
        path: A file that `make lock` wrote.

    Raises:
        ValueError: A line is none that `make lock` writes.
    """
    entries: list[Locked] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = line.strip()
        if not line.startswith(" "):
            found = PINNED.fullmatch(text)
            if found:
                entries.append(Locked(found["name"], found["version"], found["marker"]))
            elif not text.startswith("#"):
                raise ValueError(f"{path.name}, line {number}: neither an exact version nor a comment")
        elif hashed := HASH.match(text):
            entries[-1].hashes.append(hashed[1])
        elif (asked := ASKED_BY.fullmatch(text)) and asked["asker"] != "via" and not asked["asker"].startswith("-c "):
            asker = asked["asker"]
            is_project = asker.startswith(("undertow ", "-r "))
            entries[-1].asked_by.append("undertow" if is_project else asker)
    return entries
