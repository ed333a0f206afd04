"""Quoting: the only way in which names and values from outside enter a statement.

Statements are built from the column lists of `undertow.records.columns`; file names, segment keys, model patterns and
time zones come from people and files, so they are always written as quoted literals or identifiers.
"""


def literal(value: str) -> str:
    """A SQL string literal.

    Examples:
        >>> literal("it's")
        "'it''s'"
    """
    return "'" + value.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A quoted SQL identifier.

    Examples:
        >>> identifier('a"b')
        '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def literals(values: tuple[str, ...] | list[str]) -> str:
    """A parenthesis-free, comma-separated list of string literals, for `IN (...)` and `[...]`."""
    return ", ".join(literal(value) for value in values)


def exact_glob(path: str) -> str:
    """`path` as a glob pattern that matches this very path, though it may hold `*`, `?` or `[`.

    Examples:
        >>> exact_glob("logs/a[1]*.parquet")
        'logs/a[[]1][*].parquet'
    """
    return "".join(f"[{char}]" if char in "*?[" else char for char in path)
