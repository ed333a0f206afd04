from undertow.reports.aligned import aligned


def test_wide_characters_keep_columns_aligned():
    assert aligned([("名", "1"), ("name", "10")], left=(0, 1)) == ["  名    1", "  name  10"]


def test_no_rows_are_no_lines():
    assert aligned([]) == []
