"""Whether a statement only reads: one SELECT, and nothing in it that writes.

This is a check against mistakes, read off the text. What a function does that a query calls is for the database to forbid: use a role that
may only read.
"""

import re

from undertow.errors import ConfigError

_LEFT_OUT = re.compile(
    r"""
    --[^\n]*                      # a comment to the end of the line
    | /\*.*?\*/                   # a comment
    | '(?:[^']|'')*'              # text
    | "(?:[^"]|"")*"              # a name
    | `(?:[^`]|``)*`              # a name, MySQL
    | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$   # text, PostgreSQL
    """,
    re.VERBOSE | re.DOTALL,
)
_WORD = re.compile(r"[A-Za-z_]\w*")

WRITING = frozenset({
    "insert", "update", "delete", "merge", "into", "drop", "alter", "create", "grant", "revoke", "truncate", "call", "copy", "execute",
    "exec", "attach", "detach", "pragma", "vacuum", "lock", "set", "begin", "commit", "rollback", "load", "install",
})  # fmt: skip
"""Words that a query which only reads does not have outside of names in quotes and text."""


def check_reads_only(query: str) -> str:
    r"""The query without a final semicolon.

    Args:
        query: As configured.

    Raises:
        ConfigError: It is no SELECT, is more than one statement, or writes.

    Examples:
        >>> check_reads_only("SELECT id, note AS \"update\" FROM t WHERE kind = 'delete' AND at > :since;")
        'SELECT id, note AS "update" FROM t WHERE kind = \'delete\' AND at > :since'
    """
    if "\\'" in query:
        raise ConfigError(
            r"the query has \' in it, which ends a text in one database and not in another; write a quote within text as two"
        )
    if re.search(r"/\*(!|M!)", query):
        raise ConfigError("the query has a comment /*! in it, which MySQL and MariaDB carry out; leave it out")
    bare = _LEFT_OUT.sub(lambda found: " " if found[0].startswith(("--", "/*")) else " '' ", query).strip()
    while bare.endswith(";"):
        bare = bare[:-1].rstrip()
    words = [word.lower() for word in _WORD.findall(bare)]
    if not words or words[0] not in {"select", "with"} or not bare.lower().startswith(words[0]):
        raise ConfigError(
            f"the query begins with {words[0] if words else 'nothing'!r}; expected one SELECT (WITH ... SELECT is one, too)"
        )
    if ";" in bare:
        raise ConfigError("the query is more than one statement (there is a semicolon in it); expected one SELECT")
    writes = [word for word in words if word in WRITING]
    if writes:
        raise ConfigError(
            f"the query has the word {writes[0]!r}, which writes; expected a SELECT that only reads (put a column's name of that kind in quotes)"
        )
    if "'" in bare.replace("''", "") or '"' in bare:
        raise ConfigError("the query has a quote without its partner")
    kept = query.strip()
    while kept.endswith(";"):
        kept = kept[:-1].rstrip()
    return kept
