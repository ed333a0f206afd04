"""What is installed is what was locked and can be told; the wheel is the same wherever it is built; importing asks nobody anything."""

import http.server
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import threading
import tomllib
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conftest import PROJECT, require

BASE = PROJECT / "requirements" / "base.txt"
LOCKS = sorted((PROJECT / "requirements").glob("*.txt"))
SUPPLY = PROJECT / "build" / "supply" / "bin" / "python"


@pytest.fixture(scope="module")
def script():
    """Loads a script by its name; what it imports from beside it is found."""
    sys.path.insert(0, str(PROJECT / "scripts"))

    def load(name):
        spec = importlib.util.spec_from_file_location(name, PROJECT / "scripts" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module

    yield load
    sys.path.remove(str(PROJECT / "scripts"))
    for name in ("locked", "sbom", "wheel", "check_wheels", "audit_dependencies"):
        sys.modules.pop(name, None)


def named(requirement):
    return re.match(r"[A-Za-z0-9._-]+", requirement)[0].lower()


# --- locks


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_package_has_an_exact_version_and_hashes_and_no_address(script, lock):
    entries = script("locked").read_lock(lock)
    assert entries
    for entry in entries:
        assert entry.hashes, entry.name
        assert entry.asked_by, entry.name
    assert "://" not in lock.read_text()


def test_a_default_install_is_small_and_every_package_in_it_has_a_reason(script):
    entries = script("locked").read_lock(BASE)
    wanted = {
        named(text) for text in tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["dependencies"]
    }
    names = {entry.name for entry in entries}
    assert len(wanted) <= 16
    assert len(names) <= 34
    assert {entry.name for entry in entries if "undertow" in entry.asked_by} == wanted
    for entry in entries:
        assert set(entry.asked_by) <= names | {"undertow"}, entry


def test_a_lock_that_was_edited_by_hand_is_refused(script, tmp_path):
    edited = tmp_path / "x.txt"
    edited.write_text("click==8.5.1 \\\n    --hash=sha256:" + "0" * 64 + "\nclick>=8\n")
    with pytest.raises(ValueError, match=r"x.txt, line 3"):
        script("locked").read_lock(edited)


@pytest.mark.parametrize(("python", "platform"), [("3.11", "x86_64-manylinux_2_28"), ("3.14", "aarch64-apple-darwin")])
def test_a_default_install_needs_no_compiler(script, python, platform):
    lacks = script("check_wheels").missing(python, platform)
    require("client error" not in lacks.lower(), "the package index cannot be reached")
    assert lacks == ""


def test_a_package_without_a_wheel_would_be_seen(script):
    lacks = script("check_wheels").missing("3.12", "x86_64-unknown-linux-musl")
    require("client error" not in lacks.lower(), "the package index cannot be reached")
    assert "duckdb" in lacks


# --- advisories


def test_a_package_that_was_not_looked_up_is_not_counted_as_clean(script):
    found = script("audit_dependencies").audited(
        {
            "dependencies": [
                {"name": "a", "version": "1", "vulns": []},
                {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]},
                {"name": "c", "skip_reason": "Dependency not found on PyPI"},
            ]
        }
    )
    assert (found.clean, found.affected, found.unknown) == (1, ("b 2: PYSEC-1 (mended in 2.1)",), ("c",))


class Osv(http.server.BaseHTTPRequestHandler):
    """Answers as OSV does: of one package it knows an advisory."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        advisory = {
            "id": "GHSA-xxxx",
            "aliases": [],
            "summary": "x",
            "published": "2026-01-01T00:00:00Z",
            "affected": [
                {
                    "package": {"name": "duckdb", "ecosystem": "PyPI"},
                    "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9.9"}]}],
                }
            ],
        }
        found = {"vulns": [advisory]} if asked["package"]["name"] in self.server.affected else {}
        content = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments):
        pass


@pytest.mark.parametrize(
    ("affected", "status", "says"), [((), 0, "32 packages without advisories, 0"), (("duckdb",), 1, "duckdb 2")]
)
def test_advisories_of_a_service_are_told(affected, status, says):
    require(SUPPLY.exists(), "the tools of `make audit-deps` are not installed: make sbom installs them")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Osv)
    server.affected = affected
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        done = audit("--osv-url", f"http://127.0.0.1:{server.server_port}/v1/query", "base")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert done.returncode == status, done.stdout + done.stderr
    assert re.search(says, done.stdout)


def test_a_service_that_is_away_is_no_clean_bill():
    require(SUPPLY.exists(), "the tools of `make audit-deps` are not installed: make sbom installs them")
    done = audit("--osv-url", "http://127.0.0.1:9/v1/query", "bootstrap")
    assert done.returncode == 2
    assert "was not reached" in done.stdout
    assert "not the same as their being clean" in done.stdout


def audit(*arguments):
    command = [SUPPLY, PROJECT / "scripts" / "audit_dependencies.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# --- bill of materials


def bill(script, at=datetime(2026, 11, 27, tzinfo=UTC)):
    sbom = script("sbom")
    return sbom.document(script("locked").read_lock(BASE), sbom.vendored(), version="0.1.0", at=at)


def test_the_bill_names_every_locked_package_and_every_script_in_the_wheel(script):
    made = bill(script)
    listed = {(component["name"], component["version"]) for component in made["components"]}
    assert {(entry.name, entry.version) for entry in script("locked").read_lock(BASE)} <= listed
    vendor = PROJECT / "src" / "undertow" / "dashboard" / "static" / "vendor"
    files = {Path(part["name"]).name for found in made["components"] for part in found.get("components", [])}
    assert files == {path.name for path in vendor.iterdir() if path.suffix in {".js", ".css"}}
    refs = {component["bom-ref"] for component in made["components"]} | {made["metadata"]["component"]["bom-ref"]}
    assert {entry["ref"] for entry in made["dependencies"]} == refs
    assert {ref for entry in made["dependencies"] for ref in entry["dependsOn"]} == refs - {"pkg:pypi/undertow@0.1.0"}


def test_the_bill_is_the_same_each_time_and_another_for_another_content(script):
    assert bill(script) == bill(script)
    other = bill(script, at=datetime(2026, 11, 28, tzinfo=UTC))
    assert other["serialNumber"] != bill(script)["serialNumber"]


def skip_without_history():
    """No part is missing where the tree is no checkout: there is no commit to build."""
    head = ["git", "rev-parse", "--verify", "--quiet", "HEAD"]
    if (
        shutil.which("git") is None
        or subprocess.run(head, cwd=PROJECT, capture_output=True, check=False).returncode != 0
    ):
        pytest.skip("this is no checkout of a commit")


def test_the_bill_is_valid_by_cyclonedx_own_schema(tmp_path):
    require(SUPPLY.exists(), "the tools of `make sbom` are not installed: make sbom installs them")
    skip_without_history()
    command = [SUPPLY, PROJECT / "scripts" / "sbom.py", "--out", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "valid CycloneDX 1.6" in done.stdout, done.stdout + done.stderr


# --- the wheel


def test_two_builds_of_a_commit_are_the_same_file_and_hold_the_package_alone(tmp_path):
    skip_without_history()
    command = [sys.executable, PROJECT / "scripts" / "wheel.py", "--out", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "two builds are the same" in done.stdout
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "undertow/py.typed" in names
    assert wheel.name.endswith("-py3-none-any.whl")


@pytest.mark.parametrize(
    "name", ["undertow.pth", "undertow/x.pth", "undertow/sitecustomize.py", "other/x.py", "undertow/x.so", "x.data/a"]
)
def test_what_must_not_be_in_a_wheel_is_seen(script, tmp_path, name):
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as wheel:
        wheel.writestr("undertow/__init__.py", "")
        wheel.writestr("undertow-1.dist-info/METADATA", "")
        wheel.writestr(name, "")
    assert [line.split(":")[0] for line in script("wheel").faults(tmp_path / "x.whl")][:1] == [name]


# --- imports

FORBIDDEN = """
import sys
def refuse(event, arguments):
    if event.startswith("socket.") and event != "socket.gethostname" or event in ("subprocess.Popen", "os.system", "urllib.Request"):
        raise SystemExit(f"{event} {arguments!r}")
sys.addaudithook(refuse)
"""
EVERYTHING = """
import importlib, pkgutil, undertow
names = [found.name for found in pkgutil.walk_packages(undertow.__path__, "undertow.", onerror=lambda name: 1 / 0)]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
for name in undertow.__all__:
    getattr(undertow, name)
print(len(names))
"""
HELP = """
import click
from undertow.cli.main import main
def show(command, context):
    command.get_help(context)
    for name in command.list_commands(context) if isinstance(command, click.Group) else ():
        inner = command.get_command(context, name)
        show(inner, click.Context(inner, info_name=name, parent=context))
        shown.append(name)
shown = []
show(main, click.Context(main, info_name="undertow"))
print(len(shown))
"""


@pytest.mark.parametrize("code", [EVERYTHING, HELP], ids=["modules", "help"])
def test_nothing_is_asked_of_anybody_when_it_is_imported(code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORBIDDEN + code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 20


def test_the_watch_would_see_it():
    code = FORBIDDEN + "import socket; socket.create_connection(('127.0.0.1', 9))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("socket.")
