"""Imports fixtures and hands back what came out of them."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from undertow.adapters.importers import ImportOptions, ImportResult, detect_format, import_logs

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "importers"


@dataclass(frozen=True)
class Imported:
    """An import's result with its rows read back."""

    result: ImportResult
    decisions: dict
    signals: dict


@pytest.fixture
def fixtures() -> Path:
    return FIXTURES


@pytest.fixture
def load(tmp_path):
    """Import named fixtures or paths (format detected unless given) and read the canonical files back, by id."""

    def load(*names, format=None, **options):  # noqa: A002
        paths = [str(FIXTURES / name) if (FIXTURES / str(name)).exists() else str(name) for name in names]
        result = import_logs(
            paths, format or detect_format(paths[0]).format, tmp_path / "out", ImportOptions(**options)
        )
        decisions = [json.loads(line) for line in result.decisions.read_text().splitlines()]
        signals = [json.loads(line) for line in result.signals.read_text().splitlines()] if result.signals else []
        return Imported(result, {d["decision_id"]: d for d in decisions}, {s["signal_id"]: s for s in signals})

    return load


@pytest.fixture
def write(tmp_path):
    """Write records as JSONL and give the path."""

    def write(name, *records):
        path = tmp_path / name
        path.write_text("".join(json.dumps(r) + "\n" for r in records))
        return str(path)

    return write
