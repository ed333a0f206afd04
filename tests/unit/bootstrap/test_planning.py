"""Where the numbers of a plan come from: the settings, then the log, then what somebody asks for."""

import pytest

from cells_factory import build, labels, served
from undertow.bootstrap.planning import CHEAP_PER_DAY, asked_design, logged_design, merged, settings_design
from undertow.config.settings import Settings
from undertow.records.power import Assumption


def by_name(said):
    return {each.name: each for each in said}


def test_the_settings_say_how_much_is_reviewed_and_where_each_number_comes_from():
    design, said = settings_design(Settings(review={"per_day": 100, "cheap_share": 0.5, "tail_share": 0.4}))
    assert (design.reviews_per_day, design.tail_share, design.cheap_per_day) == (50.0, 0.4, CHEAP_PER_DAY)
    assert by_name(said)["reviews of the cheaper tiers"].source == "settings"
    assert by_name(said)["answers of the cheaper tiers"].source == "assumed"


def test_a_judge_steers_only_where_answers_are_shadowed():
    judge = {"model": "judge-1"}
    without, _ = settings_design(Settings(judge=judge, shadow={"share": 0.0}))
    with_shadow, said = settings_design(Settings(judge=judge, shadow={"share": 0.02}))
    assert without.shadow_per_day == 0.0
    assert with_shadow.shadow_per_day == pytest.approx(CHEAP_PER_DAY * 0.02)
    assert "verdicts a day" in by_name(said)["judge"].value


def test_a_holdout_lets_levels_be_compared_and_they_take_their_part_of_the_budget():
    held, _ = settings_design(Settings(holdout={"share": 0.05}))
    alone, _ = settings_design(Settings(holdout={"share": 0.0}, shadow={"share": 0.0}))
    assert {"capable", "level", "level_segment"} <= set(held.other_roles)
    assert alone.other_roles == ()


def test_people_see_what_the_caller_says_they_see():
    assert settings_design(Settings(), 0.9)[0].sensitivity == 0.9


def test_a_log_replaces_what_it_knows_and_keeps_the_rest():
    cells = build(
        served("cheap", 400, days=70), served("capable", 40, days=70),
        labels("cheap", 20, 2, days=70), labels("capable", 10, 1, days=70, arm="holdout"),
    )  # fmt: skip
    design, said = settings_design(Settings())
    found, now, has_reference = logged_design(cells, design, said)
    assert has_reference
    assert found.cheap_per_day == pytest.approx(400, rel=0.02)
    assert by_name(now)["answers of the cheaper tiers"].source == "log"
    assert by_name(now)["largest accepted loss"] == by_name(said)["largest accepted loss"]


def test_what_is_asked_for_comes_before_everything_and_nothing_else_changes():
    design, said = settings_design(Settings())
    assert asked_design(design, said, 0.7) == (design, said)
    found, now = asked_design(
        design, said, 0.7, labels_per_day=100.0, requests_per_day=500.0, failure_rate=0.1, sensitivity=0.8, margin=0.03, alpha=0.01,
        horizon_days=90,
    )  # fmt: skip
    assert (found.reviews_per_day, found.cheap_per_day, found.failure_rate) == (pytest.approx(70.0), 500.0, 0.1)
    assert (found.sensitivity, found.margin, found.alpha, found.horizon_days) == (0.8, 0.03, 0.01, 90)
    assert by_name(now)["false-alarm budget"] == Assumption("false-alarm budget", "1 % in 90 days", "option")
    assert found.tail_share == design.tail_share


def test_later_assumptions_take_the_place_of_earlier_ones_in_their_order():
    old = [Assumption("a", "1", "assumed"), Assumption("b", "1", "assumed")]
    assert [(each.name, each.value) for each in merged(old, [Assumption("a", "2", "log"), Assumption("c", "3", "log")])] == [
        ("a", "2"), ("b", "1"), ("c", "3"),
    ]  # fmt: skip
