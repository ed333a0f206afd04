"""TOML within bounds: what the standard parser reads, and one error for everything else."""

import time
import tomllib

import pytest

from undertow.records.toml_text import MAX_DEPTH, read_toml


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b.c = 1\n[x.'y.z'.\"w\"]\nv = [1, 2]",
        'text = "' + "a." * 500 + '"',
        "# " + "a." * 500,
        "numbers = [" + ", ".join(["1.5"] * 200) + "]",
        "hosts = ['" + ".".join(["a"] * 30) + "']",
        "a = " + "[" * 30 + "]" * 30,
    ],
)
def test_what_people_write_is_read_as_the_standard_parser_reads_it(text):
    assert read_toml(text) == tomllib.loads(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = = 1", "Invalid value"),
        ("x = 1\n" + "a." * 60_000 + "a = 1", "more than 40 parts .at line 2"),
        ("[" + "a." * 60_000 + "a]", "more than 40 parts"),
        ("[[ " + " . ".join(["'a'"] * 60_000) + "]]", "more than 40 parts"),
        ("x = {" + "a." * 60_000 + "a = 1}", "more than 40 parts"),
        ("x = {y = 1, " + "a." * 60_000 + "a = 1}", "more than 40 parts"),
        ("a = " + "9" * 300_000, "thousands of digits"),
        ("a = " + "[" * 100_000, "too deeply"),
        ("a = " + "[" * (MAX_DEPTH + 5) + "]" * (MAX_DEPTH + 5), "Nested more deeply than 40"),
        ("".join("{a = " for _ in range(100_000)), "Invalid"),
        ("a = " + "{a = " * 100_000, "too deeply"),
    ],
    ids=range(11),
)
def test_everything_else_has_one_error_soon(text, said):
    began = time.process_time()
    with pytest.raises(tomllib.TOMLDecodeError, match=said):
        read_toml(text)
    assert time.process_time() - began < 5
