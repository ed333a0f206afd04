import pytest

from undertow.config.toml_lines import key_lines


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("a = 1\n\nb = 2", ("b",), 3),
        ("[a.b]\nc = 1", ("a",), 1),
        ("[a.b]\nc = 1", ("a", "b", "c"), 2),
        ("a.b.c = 1", ("a", "b", "c"), 1),
        ('a = """\n[x]\n"""\nb = 1', ("b",), 4),
        ("a = '''\n'' # '''\nb = 1", ("b",), 3),
        ('a = "\\"]#"\nb = 1', ("b",), 2),
        ("a = [ # ]\n  [1, 2],\n  {x = 1},\n]", ("a", 1, "x"), 3),
        ("[[a]]\nx = 1\n[[a]]\nx = 2\n[a.b]\ny = 3", ("a", 1, "b", "y"), 6),
        ('["a b"."c.d"]\n"e=f" = 1', ("a b", "c.d", "e=f"), 2),
        ('"\\u0061" = 1', ("a",), 1),
        ("a = 1979-05-27 07:32:00 # c\nb = 1", ("b",), 2),
    ],
)
def test_a_key_stands_in_its_line(text, path, line):
    assert key_lines(text)[path] == line


def test_nothing_stands_in_an_empty_text():
    assert key_lines("") == {} == key_lines("# only\n\n  # comments")
