"""What importing costs, each in a fresh interpreter of the same Python, in turn; and the log by itself, where its benchmark is."""

import importlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.figures import Imports, Log
from gateway.peers import ROOT, environment, required

TIMED = "import time\nt = time.perf_counter()\n{code}\nprint(time.perf_counter() - t)"
UNDERTOW = "import undertow"
HTTPX = "import httpx"
CLIENT = """
import undertow
client = undertow.Client({config!r})
"""
CONFIG = """
[tiers.cheap]
model = "small"
base_url = "http://127.0.0.1:9/v1"

[tiers.capable]
model = "large"
base_url = "http://127.0.0.1:9/v1"

[store]
path = "{store}"
"""


def seconds(python: Path, code: str) -> float:
    """Seconds that the code takes in a fresh interpreter; its start is not counted.

    Raises:
        RuntimeError: The code failed.
    """
    # Some development machines forbid byte code files, which would charge every run with compiling all that it imports.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env["PYTHONPYCACHEPREFIX"] = str(ROOT / "build" / "bench" / "pycache")
    command = [str(python), "-c", TIMED.format(code=code)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=env, timeout=60)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"the interpreter did not end within {error.timeout:g} s") from None
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().rpartition("\n")[2])
    return float(done.stdout)


def measure_imports(runs: int, folder: Path, notes: dict[str, str]) -> Imports:
    """Interleaved runs after one that compiles the byte code."""
    httpx_python = environment("httpx", required("httpx"))
    mine = Path(sys.executable)
    toml, plan = folder / "client.toml", folder / "client-plan.json"
    toml.write_text(CONFIG.format(store=folder / "client-store"), encoding="utf-8")
    candidates = {
        "httpx_s": (httpx_python, HTTPX),
        "undertow_s": (mine, UNDERTOW),
        "client_s": (mine, CLIENT.format(config=str(plan))),
        "client_toml_s": (mine, CLIENT.format(config=str(toml))),
    }
    times: dict[str, list[float]] = {name: [] for name in candidates}
    try:
        compile_plan(toml, plan)
        for python, code in candidates.values():
            seconds(python, code)
    except RuntimeError as error:
        notes["client_s"] = notes["client_toml_s"] = f"undertow.Client: {error}"
        del candidates["client_s"], candidates["client_toml_s"]
    for _ in range(runs):
        for name, (python, code) in candidates.items():
            times[name].append(seconds(python, code))
    return Imports(**{name: tuple(values) for name, values in times.items()})


def compile_plan(toml: Path, plan: Path) -> None:
    """Compile settings, as one does for a function whose start is to be quick.

    Raises:
        RuntimeError: That failed.
    """
    program = Path(sys.executable).with_name("undertow")
    command = [str(program), "config", "compile", "--config", str(toml), "--output", str(plan)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().rpartition("\n")[2])


def httpx_version() -> str:
    """Version in the environment that is compared with."""
    return required("httpx").rpartition("=")[2]


def measure_log(kills: int, notes: dict[str, str]) -> Log | None:
    """What benchmarks/log_cost.py measures, or None where it is not there."""
    try:
        log_cost: Any = importlib.import_module("log_cost")
    except ImportError:
        notes["log"] = "benchmarks/log_cost.py is not there"
        return None
    writes = log_cost.measure_write_cost()
    return as_log(writes, log_cost.measure_kills(kills=kills, rate=5000))


def as_log(writes: Mapping[str, Any], killed: Mapping[str, Any]) -> Log:
    """Both halves of log_cost. A write is that of a record, which is the larger of the two that a request makes."""
    return Log(
        write_us=tuple(writes["record_us_runs"]),
        pair_us=float(writes["pair_us"]),
        writes=int(writes["n"]),
        kills=int(killed["kills"]),
        lost=int(killed["lost"]) + int(killed["finished_without_their_own_record"]),
        reached=int(killed["reached_upstream"]),
        rate=float(killed["records_per_s"]),
    )
