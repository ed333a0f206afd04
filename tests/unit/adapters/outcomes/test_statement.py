"""Only what reads is asked of a database."""

import pytest

from undertow.adapters.outcomes.statement import check_reads_only
from undertow.errors import ConfigError


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1",
        "select id from t where at > :since ;",
        "WITH late AS (SELECT 1 AS id) SELECT * FROM late",
        "-- delete nothing\nSELECT 1 /* update; */",
        "SELECT 'drop; table', \"update\", `set` FROM t",
        "SELECT replace(name, 'a', 'b'), 'it''s' FROM t",
        "SELECT $$; delete $$ AS x",
    ],
)
def test_what_reads_is_let_through(query):
    assert check_reads_only(query) == query.strip().rstrip(";").rstrip()


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("", "begins with"),
        ("DELETE FROM t", "begins with 'delete'"),
        ("SELECT 1; DROP TABLE t", "more than one statement"),
        ("SELECT 1; SELECT 2", "more than one statement"),
        ("SELECT * INTO other FROM t", "'into'"),
        ("WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone", "'delete'"),
        ("SELECT * FROM t FOR UPDATE", "'update'"),
        ("PRAGMA writable_schema = 1", "begins with 'pragma'"),
        ("EXPLAIN ANALYZE DELETE FROM t", "begins with"),
        ("(SELECT 1)", "begins with"),
        ("SELECT 'open", "without its partner"),
        ("SELECT /* ' */ 1 ; -- '\nDELETE FROM t", "more than one statement"),
        ("SELECT '\\'; DELETE FROM t; --'", "."),
        ("SELECT a /*!50000 INTO OUTFILE '/tmp/x' */ FROM t", "carry out"),
        ("SELECT a /*M! INTO OUTFILE '/tmp/x' */ FROM t", "carry out"),
    ],
)
def test_what_writes_is_refused(query, why):
    with pytest.raises(ConfigError, match=why):
        check_reads_only(query)
