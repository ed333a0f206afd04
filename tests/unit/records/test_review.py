import msgspec

from undertow.config.watching import ReviewSettings
from undertow.records.review import SEED_PREFIX, ImportNote, ReviewRules, SeededCase, Sheet


def test_rules_have_the_defaults_of_the_settings():
    rules, settings = ReviewRules(), ReviewSettings()
    for name in ("name", "rubric", "side_by_side", "per_day", "min_per_segment", "raters", "conflict"):
        assert getattr(rules, name) == getattr(settings, name)


def test_a_sheet_counts_what_is_to_be_read():
    assert Sheet("i", "?", "four", ("abc",)).chars == 7
    assert not Sheet("i", "?", "four", ("abc",)).is_side_by_side
    assert Sheet("i", "?", "four", ("abc", "de")).chars == 9
    assert Sheet("i", "?", "four", ("abc", "de")).is_side_by_side


def test_rows_come_back_from_json():
    for row in (
        SeededCase(case_id=f"{SEED_PREFIX}1", prompt="?", answer="!", value=0.0),
        ImportNote(at="2026-03-01T12:00:00Z", format="csv", kept=2, set_aside={"repeated": 1}, by_rater={"ann": 1}),
    ):
        assert msgspec.json.decode(msgspec.json.encode(row), type=type(row)) == row
