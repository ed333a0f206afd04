"""Every target by its name."""

from importlib import import_module
from pathlib import Path

from outside_bytes.target import Target

_NO_TARGETS = frozenset({"target", "every", "importer_samples", "inputs", "growing"})
NAMES = tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in _NO_TARGETS))


def target(name: str) -> Target:
    """One target; what it reads with is imported now."""
    found = import_module(f"outside_bytes.{name}").TARGET
    assert found.name == name
    return found
