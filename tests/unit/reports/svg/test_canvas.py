import pytest

from undertow.reports.svg.canvas import Canvas, text_px
from unit.reports.svg.drawing import SVG, of_class, parse, texts


def test_text_and_attributes_are_escaped():
    canvas = Canvas(100, 50, 'x"><script>')
    canvas.text(1, 2, "</text><script>alert(1)</script>&", 'a" onload="x')
    drawn = canvas.render("<b>title</b>", "a & b")
    root = parse(drawn)
    assert "<script" not in drawn
    assert texts(drawn) == ["</text><script>alert(1)</script>&"]
    assert root.findtext(f"{SVG}title") == "<b>title</b>"
    assert root.findtext(f"{SVG}desc") == "a & b"


def test_a_clip_is_defined_once():
    canvas = Canvas(100, 50, "c")
    first = canvas.clip_rect("panel", 0, 0, 10, 10)
    assert canvas.clip_rect("panel", 0, 0, 10, 10) == first == "c-panel"
    assert len([e for e in parse(canvas.render("t", "d")).iter() if e.tag == f"{SVG}clipPath"]) == 1


def test_sizes_never_fall_below_nothing():
    canvas = Canvas(100, 50, "c")
    canvas.rect(1, 1, -5, 3, "box")
    assert of_class(canvas.render("t", "d"), "box")[0].get("width") == "0"


def test_numbers_are_short_and_hyphens_made_of_underscores():
    canvas = Canvas(100, 50, "c")
    canvas.line(0.123456, 1, 2, 3, "l")
    canvas.text(1, 2, "x", "t", "end")
    drawn = canvas.render("t", "d")
    assert 'x1="0.1"' in drawn
    assert 'text-anchor="end"' in drawn


@pytest.mark.parametrize(("text", "narrower"), [("日本語", "abc"), ("abcd", "abc")])
def test_wide_letters_count_double(text, narrower):
    assert text_px(text) > text_px(narrower)
