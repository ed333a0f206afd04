"""Files that a gateway loads and another process, or another person, wrote: controls, thresholds, calibrations, classifiers, plans, suites,
kept cells. The first byte chooses which; files with a hash over their content get the right one, so that what is behind it is read too."""

import json

import msgspec

from classifier_factory import text_artefact
from outside_bytes.target import Target, check_message, in_time, only, written
from sound_calibrations import calibration
from undertow.adapters.calibrations import read_calibration, read_states
from undertow.adapters.cells_file import load_cells, save_cells
from undertow.adapters.classifiers.loading import load_classifier
from undertow.adapters.guard.controls import read_controls
from undertow.bootstrap.plan_file import read_plan
from undertow.bootstrap.suite import read_suite_file
from undertow.errors import UndertowError
from undertow.policies.artefact import encode_artefact
from undertow.records.guard import Controls
from undertow.records.sealed import content_hash, seal
from undertow.records.serving import encode_plan
from unit.dashboard.conftest import small_cells

KINDS = ("controls", "states", "calibration", "classifier", "plan", "suite", "cells")


def sealed(data: bytes) -> bytes:
    """The same with the hash that its content has, where it is an object."""
    try:
        content = json.loads(data)
        return json.dumps(content | {"sha256": content_hash(content)}).encode() if isinstance(content, dict) else data
    except (ValueError, RecursionError):
        return data


def read(data: bytes) -> None:
    """What the file holds, or why it cannot be used."""
    first, data = data[:1] or b"\0", data[1:]
    kind = KINDS[first[0] % len(KINDS)]
    data = sealed(data) if kind in {"calibration", "classifier"} and first[0] < 128 else data
    path = written(f"{kind}.json" + ("l" if kind == "suite" else ""), data)
    with in_time(), only(UndertowError, canary=""):
        match kind:
            case "controls" | "states":
                found, problem = (read_controls if kind == "controls" else read_states)(path)
                assert (found is None) or (problem is None)
                if problem is not None:
                    check_message(problem, canary="")
            case "calibration":
                read_calibration(path)
            case "classifier":
                load_classifier(path)
            case "plan":
                read_plan(path, {})
            case "suite":
                read_suite_file(path)
            case "cells":
                load_cells(path)


def _cells() -> bytes:
    path = written("kept", b"")
    save_cells(path, "key", small_cells())
    return path.read_bytes()[:4_000]


_TIERS = b'[tiers.a]\nmodel="m"\nrank=0\nbase_url="http://127.0.0.1:9/v1"\n[tiers.b]\nmodel="n"\nrank=1\nbase_url="http://127.0.0.1:9/v1"\n'
_SUITE = (
    b'\x05{"id": "a", "prompt": "2 + 2?", "expected": "4", "segment": {"topic": "sums"}, "tags": ["x"], "weight": 2}\n'
    b'{"id": "b", "messages": [{"role": "user", "content": "x"}], "check": {"kind": "regex", "pattern": "^(a|aa)+$"}}\n'
    b'{"id": "c", "prompt": "x", "check": {"kind": "json_schema", "schema": {"type": "object"}}}\n'
)
SEEDS = (
    b"\x00" + msgspec.json.encode(Controls(version=1, at="2026-03-01T12:00:00Z")),
    b'\x01{"schema": "undertow.thresholds/1", "at": "2026-03-01T12:00:00Z", "states": []}',
    b"\x02" + seal(calibration()),
    b"\x03" + encode_artefact(text_artefact()),
    b"\x04" + encode_plan(read_plan(written("p.toml", _TIERS), {})),
    _SUITE,
    b"\x06" + _cells(),
)  # fmt: skip
TARGET = Target("state_files", read, SEEDS)
