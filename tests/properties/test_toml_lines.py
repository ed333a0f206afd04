"""Every key that tomllib finds has a line, and the key stands in that line."""

import string

from hypothesis import given
from hypothesis import strategies as st

from undertow.config.toml_lines import key_lines

KEYS = st.one_of(
    st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=6),
    st.text("ab .#=[]'", min_size=1, max_size=5).map(lambda text: f'"{text}"'),
)
SCALARS = st.sampled_from(
    [
        "1",
        "-2.5e3",
        "true",
        "nan",
        "2020-01-01T00:00:00Z",
        '"a # b"',
        "'c\"] '",
        '"""m\n# x = 1\n"""',
        "'''\n[t]\n'''",
        '""',
    ]
)


@st.composite
def values(draw, depth=2):
    kind = draw(st.sampled_from(["scalar", "array", "table"])) if depth else "scalar"
    if kind == "array":
        items = draw(st.lists(values(depth=depth - 1), max_size=3))
        return "[ # c ]\n" + "".join(f"  {item},\n" for item in items) + "]"
    if kind == "table":
        pairs = draw(st.lists(st.tuples(KEYS, values(depth=0)), max_size=3, unique_by=lambda pair: pair[0].strip('"')))
        return "{" + ", ".join(f"{key} = {value}" for key, value in pairs) + "}"
    return draw(SCALARS)


def leaves(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))


@given(st.lists(st.tuples(KEYS, st.lists(st.tuples(KEYS, values()), max_size=3)), max_size=4), st.booleans())
def test_every_key_that_tomllib_finds_has_its_line(sections, is_array):
    import tomllib

    text = ""
    for name, pairs in sections:
        text += f"\n[[ {name} ]] # x\n" if is_array else f"\n[{name}] # x\n"
        text += "".join(f"{key} = {value} # = [\n" for key, value in pairs)
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # a key twice, or a table that is no table: refused before lines are asked for
    lines = key_lines(text)
    rows = text.split("\n")
    for path in leaves(parsed):
        if not path:
            continue
        assert path in lines, (path, text)
        if isinstance(path[-1], str):
            assert path[-1] in rows[lines[path] - 1], (path, text)
