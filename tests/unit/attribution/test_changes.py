from cells_factory import FIRST, build, day, model, served
from undertow.attribution.changes import changes_near, dated_changes


def changes(*parts, **given):
    return dated_changes(build(served("cheap", 100, days=30), *parts, **given))


def test_a_model_that_begins_to_serve_is_dated_and_says_what_it_replaced():
    (found,) = changes(model("cheap", "small-1", 100, days=12), model("cheap", "small-2", 100, days=18, start=12))
    assert (found.at, found.kind, found.tier, found.value, found.before) == (
        day(12),
        "model",
        "cheap",
        "small-2",
        "small-1",
    )


def test_what_a_tier_began_with_is_no_change():
    assert changes(model("cheap", "small-1", 60, days=30), model("cheap", "small-2", 40, days=30)) == ()


def test_stray_calls_are_no_change_until_they_are_a_real_share():
    (found,) = changes(
        model("cheap", "a", 1000, days=30),
        model("cheap", "b", 5, days=10, start=5),
        model("cheap", "b", 50, days=10, start=15),
    )
    assert found.at == day(15)


def test_kinds_and_tiers_are_apart():
    found = changes(
        model("cheap", "v1", 100, days=10, kind="policy_version"), model("cheap", "v2", 100, days=20, start=10, kind="policy_version"),
        model("capable", "large-1", 100, days=20), model("capable", "large-2", 100, days=10, start=20),
    )  # fmt: skip
    assert [(c.kind, c.tier, c.value) for c in found] == [
        ("policy_version", "cheap", "v2"),
        ("model", "capable", "large-2"),
    ]


def test_a_new_value_every_day_is_a_way_of_life():
    daily = [model("cheap", f"build-{i}", 100, days=1, start=i, kind="model_fingerprint") for i in range(60)]
    assert changes(*daily) == ()


def test_a_gap_without_a_name_is_no_value():
    cells = build(
        served("cheap", 100, days=30), model("cheap", "a", 100, days=10), model("cheap", "b", 100, days=10, start=20)
    )
    nameless = cells.models.take(cells.models.bucket >= 0)
    nameless.value[:] = -1
    from dataclasses import replace

    assert dated_changes(replace(cells, models=nameless)) == ()


def test_near_has_two_days_of_slack_and_keeps_to_the_tier():
    cells = build(
        served("cheap", 100, days=30),
        model("cheap", "a", 100, days=12), model("cheap", "b", 100, days=18, start=12),
        model("capable", "x", 100, days=12), model("capable", "y", 100, days=18, start=12),
    )  # fmt: skip
    assert changes_near(cells, "cheap", FIRST + 14, FIRST + 20) == ("model b began on 13 January",)
    assert changes_near(cells, "cheap", FIRST + 5, FIRST + 10) == ("model b began on 13 January",)
    assert changes_near(cells, "cheap", FIRST + 15, FIRST + 20) == ()
    assert changes_near(cells, "cheap", FIRST + 5, FIRST + 9) == ()
