"""Logs of other tools, as files: told by their first records, and read as each of the formats. The first byte chooses the format."""

import shutil

from outside_bytes.importer_samples import SAMPLES
from outside_bytes.target import Target, in_time, only, scratch, written
from undertow.adapters.importers import detect_format, import_logs, read_outcomes
from undertow.adapters.importers.registry import BY_FORMAT
from undertow.errors import UndertowError

_FORMATS = tuple(BY_FORMAT)


def read(data: bytes) -> None:
    """Rows and counted rejections, or one error of ours, whatever the format that somebody says it is."""
    first, data = data[:1] or b"\0", data[1:]
    path = written("imported", data)
    out = scratch() / "imported-out"
    with in_time():
        with only(UndertowError):
            detect_format(path)
        with only(UndertowError):
            import_logs([str(path)], _FORMATS[first[0] % len(_FORMATS)], out)
        shutil.rmtree(out, ignore_errors=True)
        if first[0] % 7 == 0:
            with only(UndertowError):
                read_outcomes([str(path)], out)
            shutil.rmtree(out, ignore_errors=True)


SEEDS = tuple(bytes([_FORMATS.index(name)]) + content for name, content in SAMPLES if name in _FORMATS)
TARGET = Target("importers", read, SEEDS)
