import pytest

from undertow.reports.svg.canvas import Canvas
from undertow.reports.svg.plot import framed, grid
from unit.reports.svg.drawing import assert_legible, texts


def drawn(width=400.0):
    canvas = Canvas(width, 300, "c")
    plot = framed(
        canvas,
        (0.0, 0.0, width, 300.0),
        (0.0, 1.0),
        (0.0, 0.2),
        title="billing",
        x_label="share",
        show=lambda v: f"{v * 100:.4g} %",
    )
    return canvas, plot


@pytest.mark.parametrize("width", [180.0, 280.0, 880.0])
def test_the_frame_is_legible(width):
    canvas, _ = drawn(width)
    svg = canvas.render("A plot", "Of something.")
    assert_legible(svg)
    assert {"billing", "share", "0 %", "100 %", "20 %"} <= set(texts(svg))


def test_points_are_kept_inside_the_frame():
    _, plot = drawn()
    assert plot.place(0.5, 0.1) == (plot.x(0.5), plot.y(0.1))
    assert plot.place(-1.0, 9.0) == (plot.x.start, plot.y.end)
    assert plot.y.start > plot.y.end


def test_lines_and_areas_go_through_their_points():
    canvas, plot = drawn()
    plot.line([(0.0, 0.0), (1.0, 0.2)], "line")
    plot.area([(0.0, 0.0), (1.0, 0.1)], [(0.0, 0.1), (1.0, 0.2)], "band")
    svg = canvas.render("A plot", "Of something.")
    assert f"{plot.x.start:.1f},{plot.y.start:.1f} {plot.x.end:.1f},{plot.y.end:.1f}" in svg
    assert svg.count("<polygon") == 1


def test_a_grid_wraps_and_fills_the_width():
    boxes = grid(4, 880, 280, 200)
    assert [box[1] for box in boxes] == [0.0, 0.0, 0.0, 220.0]
    assert boxes[2][0] + boxes[2][2] == pytest.approx(880)
    assert grid(1, 340, 280, 200) == [(0.0, 0.0, 340.0, 200.0)]
