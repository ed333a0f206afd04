import csv
import io

import pytest

from undertow.adapters.reviews.csv import BOM, guarded, read_labels, write_sheets
from undertow.judging.prompts import clean
from undertow.records.review import ReviewRules, Sheet

HOSTILE = '=HYPERLINK("http://x","y")'


def table(sheets):
    content = write_sheets(sheets, ReviewRules(), "").decode()
    assert content.startswith(BOM)
    return list(csv.DictReader(io.StringIO(content.removeprefix(BOM), newline="")))


@pytest.mark.parametrize("text", [HOSTILE, "+1", "-1", "@sum(a1)", "\t=1", "\r=1", " =1", "'=1"])
def test_no_cell_is_a_formula(text):
    (row,) = table([Sheet("i", text, text, (text,))])
    for name in ("rubric", "prompt", "answer"):
        assert row[name] == f"'{clean(text)}"


def test_no_cell_acts_on_a_terminal_or_hides_text():
    (row,) = table([Sheet("i", "?", "red \x1b[2J\u202eevil\u202c", ("a\x00b\r\nc\td",))])
    assert (row["prompt"], row["answer"]) == ("red evil", "ab\nc\td")


def test_texts_of_many_lines_and_quotes_keep_their_cell():
    (row,) = table([Sheet("i", "?", 'one,\n"two"', ("a;b",))])
    assert (row["prompt"], row["answer"], row["answer_a"]) == ('one,\n"two"', "a;b", "")


def test_a_table_comes_back_from_a_spreadsheet(tmp_path):
    sheets = [Sheet("i1", "?", HOSTILE, ("x",)), Sheet("i2", "?", "?", ("one", "two"))]
    rows = table(sheets)
    path = tmp_path / "back.csv"
    # As a spreadsheet of another country saves it, with columns of its own and headers in capitals.
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        out = csv.writer(file, delimiter=";")
        out.writerow(["Item", "Prompt", "Rater", "Verdict", "Note"])
        for row, verdict in zip(rows, ("y", "tie"), strict=True):
            out.writerow([row["item"], row["prompt"], guarded("=ann"), verdict, "fine"])
        out.writerow(["i3", "?", "", "", ""])
    found = list(read_labels(path, ReviewRules(), (0.0, 1.0)))
    assert [(x.item, x.rater, x.verdict) for x in found] == [
        ("i1", "=ann", "y"),
        ("i2", "=ann", "tie"),
        ("i3", None, None),
    ]


def test_a_row_that_is_cut_is_told(tmp_path):
    path = tmp_path / "back.csv"
    path.write_text("item,rater,verdict\ni1,ann,y\ni2,ann\n")
    assert [x.reason for x in read_labels(path, ReviewRules(), (0.0, 1.0))] == [None, "wrong_number_of_cells"]
