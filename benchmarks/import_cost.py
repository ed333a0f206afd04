"""What starting costs in a fresh interpreter: `import undertow`, and `undertow.Client` usable, beside `import httpx`.

    python benchmarks/import_cost.py [--runs 21] [--httpx-python PYTHON]

The runs of all candidates are interleaved. httpx is taken from `--httpx-python`, an interpreter of the same version that has it,
or else from the environment that `make bench-gateway` makes. The start of the interpreter itself is not counted.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from gateway.imports import CLIENT, CONFIG, HTTPX, UNDERTOW, compile_plan, seconds
from gateway.peers import environment, required

FLOOR = "import asyncio, msgspec"
"""What no in-process client in Python can do without: its event loop and its JSON."""


def measure(runs: int = 21, httpx_python: Path | None = None) -> dict[str, float]:
    """Medians in milliseconds, and their ratios to `import httpx`.

    Args:
        runs: Runs of each candidate.
        httpx_python: Interpreter that has httpx; None: that of the benchmark's environment.
    """
    theirs = httpx_python or environment("httpx", required("httpx"))
    mine = Path(sys.executable)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        toml, plan = folder / "undertow.toml", folder / "plan.json"
        toml.write_text(CONFIG.format(store=folder / "store"), encoding="utf-8")
        compile_plan(toml, plan)
        candidates = {
            "import_httpx_ms": (theirs, HTTPX),
            "import_undertow_ms": (mine, UNDERTOW),
            "floor_ms": (mine, FLOOR),
            "client_usable_ms": (mine, CLIENT.format(config=str(plan))),
        }
        for python, code in candidates.values():
            seconds(python, code)
        times: dict[str, list[float]] = {name: [] for name in candidates}
        for _ in range(runs):
            for name, (python, code) in candidates.items():
                times[name].append(seconds(python, code) * 1e3)
    found = {name: round(statistics.median(values), 1) for name, values in times.items()}
    for name in ("import_undertow", "client_usable"):
        ratios = [a / b for a, b in zip(times[f"{name}_ms"], times["import_httpx_ms"], strict=True)]
        found[f"{name}_ratio"] = round(statistics.median(ratios), 2)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=21)
    parser.add_argument("--httpx-python", type=Path)
    given = parser.parse_args()
    print(json.dumps(measure(given.runs, given.httpx_python), indent=1))
