import pytest

from undertow.reports.svg.quality import quality_chart
from unit.reports.factory import EVERY, pareto_trap, sparse
from unit.reports.svg.drawing import SLIM, SVG, WIDE, assert_legible, of_class, parse, texts


@pytest.mark.parametrize("width", [WIDE, SLIM])
@pytest.mark.parametrize("name", EVERY)
def test_every_report_is_legible(name, width):
    drawn = quality_chart(EVERY[name](), width, "c")
    if drawn is not None:
        assert_legible(drawn)


def test_nothing_to_draw_is_none():
    assert quality_chart(sparse(), WIDE, "c") is None


@pytest.mark.parametrize("width", [WIDE, SLIM])
def test_the_aggregate_stands_alone_and_the_tiers_beside_it(width):
    drawn = quality_chart(pareto_trap(), width, "c")
    lines = {e.get("class"): float(e.get("points").split(",")[0]) for e in of_class(drawn, "line") if e.get("points")}
    assert set(lines) == {f"line c-{c} strong" for c in ("all", "cheap", "capable", "seg0")}
    if width == WIDE:
        assert lines["line c-all strong"] < lines["line c-cheap strong"]
    assert {"cheap", "capable", "intent=billing"} <= set(texts(drawn))


def test_both_panels_share_one_scale():
    drawn = quality_chart(pareto_trap(), WIDE, "c")
    rules = [float(e.get("y1")) for e in of_class(drawn, "grid")]
    assert len(rules) % 2 == 0
    assert rules[: len(rules) // 2] == rules[len(rules) // 2 :]


def test_it_says_the_same_in_words():
    described = parse(quality_chart(pareto_trap(), WIDE, "c")).findtext(f"{SVG}desc")
    assert "all tiers" in described
    assert "alarm 1 detected 2026-01-31" in described
