"""The house keeps its shape: imports point down, the core stays pure, and every source file has its unit tests."""

import ast
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
SOURCE = PROJECT / "src" / "undertow"
LINT_IMPORTS = Path(sys.executable).parent / "lint-imports"

WITHOUT_UNIT_TESTS: dict[str, str] = {
    "ports/alerts.py": "protocols and a value; tests/unit/adapters/alerts checks what implements them",
    "ports/audit_source.py": "protocols; tests/unit/adapters/duckdb checks the adapter against them",
    "ports/classifier.py": "a protocol; tests/unit/adapters/classifiers checks what implements it",
    "ports/decision_log.py": "protocols; tests/unit/adapters/store and tests/unit/client check what implements them",
    "ports/reply.py": "a protocol and a value; tests/unit/gateway and tests/unit/client check what implements it",
}
"""Source files that need no test file of their own, each with the reason."""


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache", "--no-logo"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(folder / "src"), "PATH": "/usr/bin:/bin"},
    )


def test_the_import_contracts_hold():
    done = lint_imports(PROJECT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("stats/planted.py", "import duckdb", "The core knows no clock"),
        ("stats/planted.py", "import random", "The core knows no clock"),
        ("records/planted.py", "import undertow.stats", "Layers: imports point down"),
        ("detectors/planted.py", "import undertow.estimators", "Layers: imports point down"),
        ("planted/__init__.py", "", "Layers: imports point down"),
    ],
    ids=["library", "clock", "upwards", "sideways", "unlisted package"],
)
def test_a_planted_violation_is_caught(tmp_path, file, line, contract):
    shutil.copytree(SOURCE, tmp_path / "src" / "undertow", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    planted = tmp_path / "src" / "undertow" / file
    planted.parent.mkdir(exist_ok=True)
    planted.write_text(f'"""Planted."""\n{line}\n')
    done = lint_imports(tmp_path)
    assert done.returncode != 0
    assert f"{contract}" in done.stdout
    assert "BROKEN" in done.stdout or "planted" in done.stdout


def test_the_core_of_the_contract_is_every_package_below_the_adapters():
    contracts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers, core = contracts[0]["layers"], contracts[1]["source_modules"]
    below = layers[layers.index("adapters | services | config") + 1 :]
    packages = {f"undertow.{name.strip()}" for layer in below for name in layer.split("|")}
    assert packages == set(core)


def source_files() -> list[str]:
    """Source files with behaviour: those that define a function. Records and lists of constants have none."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if path.name != "__init__.py" and any(
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(tree)
        ):
            found.append(str(path.relative_to(SOURCE)))
    return found


def unit_test_of(file: str) -> Path:
    path = Path(file)
    return PROJECT / "tests" / "unit" / path.parent / f"test_{path.name}"


def test_every_source_file_has_its_unit_tests():
    missing = [file for file in source_files() if file not in WITHOUT_UNIT_TESTS and not unit_test_of(file).exists()]
    assert not missing, f"no unit tests for {len(missing)} files: {', '.join(missing)}"


def test_the_exceptions_are_needed():
    files = source_files()
    stale = [file for file in WITHOUT_UNIT_TESTS if file not in files or unit_test_of(file).exists()]
    assert not stale


def test_every_unit_test_file_has_its_source_file():
    unit = PROJECT / "tests" / "unit"
    astray = [
        str(path.relative_to(unit))
        for path in unit.rglob("test_*.py")
        if not (SOURCE / path.relative_to(unit).parent / path.name.removeprefix("test_")).exists()
        and not (SOURCE / path.relative_to(unit).parent / path.stem.removeprefix("test_")).is_dir()
    ]
    assert not astray


@pytest.mark.parametrize("name", ["utils", "helpers", "common", "core", "manager", "misc"])
def test_no_file_is_named_for_nothing(name):
    assert not list(SOURCE.rglob(f"{name}.py")) + list(SOURCE.rglob(f"{name}/"))
