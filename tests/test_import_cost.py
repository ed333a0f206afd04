"""`import undertow` and `undertow --help` stay cheap: no heavy library, no socket, no file of ours read."""

import json
import subprocess
import sys

import pytest

HEAVY = {"numpy", "scipy", "duckdb", "pydantic", "msgspec", "jinja2", "genai_prices", "rich", "zstandard"}

WATCHED = """
import json, sys
sockets = []
sys.addaudithook(lambda event, args: sockets.append(event) if event.startswith("socket.") else None)
{code}
print(json.dumps({{"modules": sorted(m.split(".")[0] for m in sys.modules), "sockets": sockets}}), file=sys.stderr)
"""

HELP = """
import undertow.cli.main
try:
    undertow.cli.main.main({arguments!r})
except SystemExit as done:
    assert done.code in (0, 2), done.code
"""


def loaded_by(code: str) -> dict:
    done = subprocess.run([sys.executable, "-c", WATCHED.format(code=code)], capture_output=True, text=True, check=True)
    return json.loads(done.stderr.splitlines()[-1])


@pytest.mark.parametrize(
    "code",
    [
        "import undertow",
        "import undertow; undertow.UndertowError",
        HELP.format(arguments=["--help"]),
        HELP.format(arguments=["--version"]),
        HELP.format(arguments=["audti"]),
        HELP.format(arguments=["completion", "bash"]),
    ],
    ids=["import", "errors", "help", "version", "mistyped", "completion"],
)
def test_no_heavy_library_is_loaded_and_no_socket_opened(code):
    loaded = loaded_by(code)
    assert not HEAVY & set(loaded["modules"])
    assert loaded["sockets"] == []


UNUSED_BY_A_CLIENT = (HEAVY - {"msgspec"}) | {
    "click", "uvicorn", "prometheus_client", "sqlite3", "fsspec", "difflib", "sklearn", "opentelemetry",
    "jsonschema_rs", "sqlalchemy",
}  # fmt: skip
TIER = '[tiers.{name}]\nmodel = "{name}"\nrank = {rank}\nbase_url = "http://127.0.0.1:9/v1"\n'


def test_a_client_from_a_compiled_plan_loads_little_and_opens_no_socket(tmp_path):
    config, plan = tmp_path / "undertow.toml", tmp_path / "plan.json"
    config.write_text(TIER.format(name="cheap", rank=0) + TIER.format(name="capable", rank=1))
    compiling = "import undertow.cli.main; undertow.cli.main.main({!r}, standalone_mode=False)"
    loaded_by(compiling.format(["config", "compile", "--config", str(config), "-o", str(plan)]))
    loaded = loaded_by(f"import undertow; undertow.Client({str(plan)!r}, sink={str(tmp_path / 'store')!r})")
    assert not UNUSED_BY_A_CLIENT & set(loaded["modules"])
    assert loaded["sockets"] == []
    assert "msgspec" in loaded["modules"]


def test_the_watch_itself_sees_what_it_looks_for():
    loaded = loaded_by("import socket, numpy; socket.socket().close()")
    assert "numpy" in loaded["modules"]
    assert loaded["sockets"]


def test_no_module_needs_the_slow_parts_of_scipy():
    everything = """
import importlib, pkgutil, undertow
for found in pkgutil.walk_packages(undertow.__path__, "undertow."):
    importlib.import_module(found.name)
sys.modules = {name.replace("scipy.stats", "scipy_stats").replace("scipy.optimize", "scipy_optimize"): 1 for name in sys.modules}
"""
    modules = set(loaded_by(everything)["modules"])
    assert "scipy" in modules
    assert not {"scipy_stats", "scipy_optimize"} & modules
