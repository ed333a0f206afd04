from datetime import UTC, datetime

from undertow.attribution.story import MOST_CHANGES, story

DAY = datetime(2026, 3, 14, tzinfo=UTC)


def test_all_that_changed_stands_in_one_sentence():
    told = story(
        DAY,
        ["calibration v3 began on 13 March"],
        "80 % of the loss lies within billing",
        ["the upstream failed"],
        ["a rename?"],
    )
    assert told == (
        "Since 14 March; what changed then: calibration v3 began on 13 March; 80 % of the loss lies within billing; "
        "the upstream failed; a rename?."
    )  # fmt: skip


def test_where_nothing_changed_that_is_said():
    assert "no version, upstream or segment is known" in story(DAY, parts="all of the loss is traffic")
    assert "no version" not in story(DAY, incidents=["the upstream failed"])


def test_many_versions_are_counted():
    told = story(DAY, [f"model {i} began" for i in range(MOST_CHANGES + 4)])
    assert "and" not in told.split("began")[0]
    assert "4 more versions" in told
