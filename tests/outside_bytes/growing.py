"""Reads every input that is made to grow with one target, in a process of its own: prints what each took, in seconds and bytes of memory."""

import json
import logging
import resource
import sys
import time

from outside_bytes import target as rules
from outside_bytes.every import target
from outside_bytes.inputs import GROWN

WITHOUT_KIND = frozenset({"mappings", "settings", "signals"})
"""Targets whose first byte is a byte like any other."""


def main(name: str) -> None:
    """Measure a target; each input is read as another of its kinds."""
    logging.disable(logging.CRITICAL)
    rules.CPU_S = float("inf")
    found = target(name)
    kinds = [b""] if name in WITHOUT_KIND else sorted({seed[:1] for seed in found.seeds})
    for seed in found.seeds:
        found.read(seed)
    measured: list[tuple[str, float, int]] = []
    for number, (what, make) in enumerate(GROWN.items()):
        data = kinds[number % len(kinds)] + make()
        before = resource.getrusage(resource.RUSAGE_SELF)
        began = time.process_time()
        found.read(data)
        took_s = time.process_time() - began
        after = resource.getrusage(resource.RUSAGE_SELF)
        measured.append((what, took_s, 1024 * (after.ru_maxrss - before.ru_maxrss)))
    sys.stdout.write(json.dumps(measured))


if __name__ == "__main__":
    main(sys.argv[1])
