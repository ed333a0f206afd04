"""What documentation shows works: examples in docstrings, and the commands, settings and code on the pages."""

import contextlib
import doctest
import importlib
import json
import pkgutil
import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest

import undertow
from undertow.cli.main import main
from undertow.config import load_settings

PROJECT = Path(__file__).resolve().parents[2]
PAGES = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md"), *(PROJECT / "examples").rglob("*.md")])
BLOCK = re.compile(r"^( *)```(\w+)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
MODULES = sorted(found.name for found in pkgutil.walk_packages(undertow.__path__, "undertow."))


def blocks(language: str):
    """Code blocks of a language on all pages, each named by its page and line."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            if match[2] == language:
                line = text.count("\n", 0, match.start()) + 1
                yield pytest.param(match[3], id=f"{page.relative_to(PROJECT)}:{line}")


def parameters(language: str, name: str = "code"):
    found = list(blocks(language))
    return pytest.mark.parametrize(name, found or [pytest.param("", id="none")])


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert result.failed == 0


@parameters("console")
def test_commands_on_the_pages_exist_with_their_options(code):
    for line in code.replace("\\\n", " ").splitlines():
        if "undertow " not in line or not line.lstrip().startswith("$ "):
            continue
        check_line(line.strip().removeprefix("$ "))


@parameters("bash")
def test_scripts_on_the_pages_are_well_formed(code):
    subprocess.run(["bash", "-n"], input=code, text=True, check=True)
    for line in re.findall(r"^\s*(?:\S+/)?undertow .*$", code, re.MULTILINE):
        check_line(line)


def check_line(line: str) -> None:
    """That the commands and options of ours in a shell line exist. Values are not looked at: files are examples."""
    tokens = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    tokens.whitespace_split = True
    words: list[str] = []
    is_target = False
    for token in [*tokens, ";"]:
        if token[0] in "<>":
            is_target = True
        elif token[0] in "|&;":
            check_command(words)
            words = []
        elif not is_target:
            words.append(token)
        is_target = token[0] in "<>"


def check_command(words: list[str]) -> None:
    while words and "=" in words[0] and not words[0].startswith("-"):
        words = words[1:]
    if not words or Path(words[0]).name != "undertow":
        return
    command: click.Command = main
    context = main.make_context("undertow", [], resilient_parsing=True)
    known = {name for parameter in main.get_params(context) for name in parameter.opts + parameter.secondary_opts}
    for word in words[1:]:
        if word.startswith("-") and len(word) > 1:
            assert word.split("=")[0] in known, f"{word!r} in {words}; known: {sorted(known)}"
        elif isinstance(command, click.Group):
            inner = command.get_command(context, word)
            assert inner is not None, f"no command {word!r} in {words}"
            command, context = inner, inner.make_context(word, [], parent=context, resilient_parsing=True)
            known = {
                name for parameter in inner.get_params(context) for name in parameter.opts + parameter.secondary_opts
            }


@parameters("toml")
def test_settings_on_the_pages_are_valid(code, tmp_path, request):
    import tomllib

    if "mapping" in request.node.name or "import" in request.node.name:
        tomllib.loads(code)  # mapping files have rules of their own, tested where they are read
        return
    path = tmp_path / "undertow.toml"
    path.write_text(code, encoding="utf-8")
    load_settings(path, {})


@parameters("json")
def test_json_on_the_pages_is_json(code):
    if "…" not in code and "..." not in code and code:
        with contextlib.suppress(ValueError):
            json.loads(code)
            return
        for line in code.splitlines():  # one row a line, as in a log
            if line.strip():
                json.loads(line)


@parameters("python")
def test_python_on_the_pages_runs(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "page", "exec"), {"__name__": "page"})  # noqa: S102 (our own pages)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_links_lead_to_files_that_exist(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[\w-]+)?\)", text):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"{target} on {page.name}"


def test_the_navigation_lists_every_page():
    nav = (PROJECT / "zensical.toml").read_text()
    pages = {str(path.relative_to(PROJECT / "docs")) for path in (PROJECT / "docs").rglob("*.md")}
    assert set(re.findall(r'"([\w/-]+\.md)"', nav)) == pages
