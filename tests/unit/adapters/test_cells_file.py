"""Cells in a file: what comes back is what was kept, and a file of somebody else's making makes nothing else."""

import msgspec
import numpy as np
import pytest

from cells_factory import build, labels, served
from undertow.adapters.cells_file import load_cells, save_cells
from undertow.records.report import AuditSettings
from undertow.services.audit import audit


def cells():
    return build(
        served("cheap", 400, days=30, segment="intent=a"), served("capable", 40, days=30, arm="holdout"),
        labels("cheap", 50, 5.0, days=30, segment="intent=a"), labels("capable", 50, 5.0, days=30, arm="holdout"),
    )  # fmt: skip


def test_what_comes_back_is_what_was_kept(tmp_path):
    file = tmp_path / "state" / "cells.msgpack"
    save_cells(file, "key", cells())
    key, found = load_cells(file)
    assert key == "key"
    assert audit(found, AuditSettings()) == audit(cells(), AuditSettings())
    assert (found.segments, found.tiers, dict(found.strata)) == (cells().segments, cells().tiers, dict(cells().strata))
    assert np.array_equal(found.labels.weight, cells().labels.weight)
    assert file.stat().st_mode & 0o007 == 0, "it holds texts of users where the log does"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xc1",
        msgspec.msgpack.encode([1, 2]),
        msgspec.msgpack.encode({"format": 99, "key": "", "cells": {}}),
        msgspec.msgpack.encode({"format": 1, "key": "", "cells": 7}),
        msgspec.msgpack.encode({"format": 1, "key": "", "cells": {"\0r": "system", "of": {}}}),
        msgspec.msgpack.encode({"format": 1, "key": "", "cells": {"\0r": "Segment", "of": {"key": "a"}}}),
        msgspec.msgpack.encode({"format": 1, "key": "", "cells": {"\0r": "AuditCells", "of": {"nothing": 1}}}),
        msgspec.msgpack.encode({"format": 1, "key": "", "cells": {"\0a": "|O8", "shape": [1], "data": b"\0" * 8}}),
        b"\x91" * 5000,
    ],
)
def test_a_file_that_is_none_is_not_taken(tmp_path, content):
    file = tmp_path / "cells.msgpack"
    file.write_bytes(content)
    assert load_cells(file) is None


def test_no_file_is_nothing(tmp_path):
    assert load_cells(tmp_path / "none") is None
