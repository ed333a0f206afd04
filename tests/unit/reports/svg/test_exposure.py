"""Steps of a rollout: each holds until the next, and the last one until now."""

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import pytest

from undertow.reports.svg.exposure import MAX_LINES, exposure_chart

START = datetime(2026, 3, 1, tzinfo=UTC)
STEPS = [(START, 0.05), (START + timedelta(days=4), 0.1), (START + timedelta(days=9), 0.25)]
NOW = START + timedelta(days=12)


@pytest.mark.parametrize("width", [340.0, 1080.0])
def test_a_line_of_steps_a_place(width):
    svg = exposure_chart({"all requests": STEPS, "intent=<b>": STEPS[:1]}, NOW, width, "x")
    root = ET.fromstring(svg)  # noqa: S314  drawn by the code under test
    lines = [e for e in root.iter() if e.tag.endswith("polyline")]
    assert len(lines) == 2
    corners = [tuple(map(float, point.split(","))) for point in lines[-1].get("points").split()]
    assert len(corners) == 6
    ys = [y for _, y in corners]
    assert ys == sorted(ys, reverse=True), "more exposed is further up"
    assert ys[0] == ys[1]
    assert ys[-1] == ys[-2], "the last step holds until now"
    assert "all requests from 5.0" in svg
    assert "&lt;b&gt;" in svg


def test_nothing_to_draw_and_more_lines_than_can_be_told_apart():
    assert exposure_chart({}, NOW, 1080.0, "x") is None
    assert exposure_chart({"a": []}, NOW, 1080.0, "x") is None
    svg = exposure_chart({f"n={i}": STEPS for i in range(40)}, NOW, 1080.0, "x")
    assert svg.count("<polyline") == MAX_LINES


def test_a_rollout_that_began_this_moment_has_a_width():
    assert "NaN" not in (exposure_chart({"all requests": STEPS[:1]}, START, 1080.0, "x") or "NaN")
