import pytest

from undertow.reports.svg.share import share_chart
from unit.reports.factory import EVERY, pareto_trap, sparse
from unit.reports.svg.drawing import SLIM, WIDE, assert_legible, texts


@pytest.mark.parametrize("width", [WIDE, SLIM])
@pytest.mark.parametrize("name", EVERY)
def test_every_report_is_legible(name, width):
    drawn = share_chart(EVERY[name](), width, "c")
    if drawn is not None:
        assert_legible(drawn)


def test_nothing_to_draw_is_none():
    assert share_chart(sparse(), WIDE, "c") is None


def test_the_axis_spans_everything_so_that_a_small_drift_looks_small():
    drawn = share_chart(pareto_trap(), WIDE, "c")
    assert {"0 %", "100 %"} <= set(texts(drawn))
    assert {"cheap", "capable"} <= set(texts(drawn))
