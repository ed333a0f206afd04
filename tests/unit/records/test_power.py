from dataclasses import replace

from undertow.records.power import Design

DESIGN = Design(30_000, 140, 0.6, (0.5, 0.3, 0.2), 0.05, 0.8)


def test_without_a_number_each_watched_segment_has_two_cells():
    assert DESIGN.cells == 6
    assert replace(DESIGN, segment_shares=()).cells == 2
    assert replace(DESIGN, steer_cells=20).cells == 20
