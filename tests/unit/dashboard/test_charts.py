"""Charts alone: as a picture with its style inside, and as rows that a spreadsheet does not run."""

import csv
import io

from undertow.dashboard.charts import both, csv_response, svg_response


def test_a_chart_has_both_widths_or_is_not_there():
    drawn = both(lambda width, ident: f"<svg id='{ident}'>{width:g}</svg>", "x")
    assert ("1080" in drawn.wide, "340" in drawn.slim) == (True, True)
    assert both(lambda _width, _ident: None, "x") is None


def test_rows_with_names_of_others_are_no_formulas():
    answer = csv_response("rows", ("segment", "loss"), [("=HYPERLINK(1)", -0.5), ("+1", None), ("a,b", 0.25), ("", 0)])
    rows = list(csv.reader(io.StringIO(answer.body.decode())))
    assert rows == [["segment", "loss"], ["'=HYPERLINK(1)", "-0.5"], ["'+1", ""], ["a,b", "0.25"], ["", "0"]]
    assert answer.headers["content-disposition"] == 'attachment; filename="rows.csv"'


def test_a_picture_brings_its_style():
    answer = svg_response('<svg width="3"><g/></svg>', ".x { fill: red }")
    assert answer.body == b'<svg width="3"><style>.x { fill: red }</style><g/></svg>'
    assert svg_response(None, "").status_code == 404
