from undertow.adapters.importers.rows import Context, Decision, Signal


def test_rows_do_not_share_their_contents():
    first, second = Context("a"), Context("b")
    first.row["x"] = 1
    assert second.row == {}
    assert Decision({}).served
    assert Signal({}).pair is None
