"""The sufficient statistics of a log in a file, so that a dashboard that is started again has something to show at once.

One MessagePack document. Tables are told by name, and only those of `undertow.records` are ever made: a file of somebody else's making can at
worst hold wrong numbers. It holds texts of labelled decisions where the log does, so it is for its owner alone.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from undertow.adapters.whole_file import PRIVATE, write_whole
from undertow.records import cells as tables
from undertow.records import money
from undertow.records.cells import AuditCells
from undertow.records.label_rows import LabelRows
from undertow.records.segment import Segment
from undertow.records.unreadable import UNREADABLE

FORMAT = 1
_KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        *(value for module in (tables, money) for value in vars(module).values() if is_dataclass(value)),
        LabelRows,
        Segment,
    )
    if isinstance(kind, type)
}
_DTYPES = {"<i8", "<f8", "<u8", "|b1"}


def save_cells(path: Path, key: str, cells: AuditCells) -> None:
    """Keep cells.

    Args:
        path: File; its folder is made.
        key: What they were read from (`undertow.adapters.log_state.log_state`).
        cells: As they were read.

    Raises:
        OSError: It cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"format": FORMAT, "key": key, "cells": _plain(cells)}
    write_whole(path, msgspec.msgpack.encode(document), PRIVATE)


def load_cells(path: Path) -> tuple[str, AuditCells] | None:
    """Cells that were kept, and what they were read from; None: there are none that this version can read."""
    try:
        document = msgspec.msgpack.decode(path.read_bytes())
        if document["format"] != FORMAT:
            return None
        cells = _made(document["cells"])
        return (str(document["key"]), cells) if isinstance(cells, AuditCells) else None
    except (OSError, KeyError, ValueError, TypeError, AttributeError, *UNREADABLE):
        return None


def _plain(value: Any) -> Any:
    """As MessagePack can hold it: arrays and records are maps with a mark."""
    if isinstance(value, np.ndarray):
        flat = np.ascontiguousarray(value)
        return {"\0a": flat.dtype.str, "shape": list(flat.shape), "data": flat.tobytes()}
    if is_dataclass(value) and not isinstance(value, type):
        return {"\0r": type(value).__name__, "of": {f.name: _plain(getattr(value, f.name)) for f in fields(value)}}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {"\0m": [[_plain(k), _plain(v)] for k, v in value.items()]}
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    return value


def _made(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_made(each) for each in value)
    if not isinstance(value, dict):
        return value
    if "\0a" in value:
        if value["\0a"] not in _DTYPES:
            raise ValueError("an array of another type")
        return np.frombuffer(value["data"], dtype=value["\0a"]).reshape(value["shape"]).copy()
    if "\0m" in value:
        return {_made(k): _made(v) for k, v in value["\0m"]}
    return _KINDS[value["\0r"]](**{name: _made(each) for name, each in value["of"].items()})
