"""Planned delays come from the production detectors and order designs as they must be."""

from dataclasses import replace

import numpy as np

from undertow.records.power import Design, PlannedLoss
from undertow.services.power import delay, deserved, losses_of, plan, watched_weights, watching

DESIGN = Design(30_000, 140, 0.6, (0.3, 0.3, 0.2, 0.1, 0.1), 0.06, 0.8, baseline_days=21, horizon_days=60)
SLICE = PlannedLoss(0.35, 0.1)


def found(design, loss, runs=60, seed=1):
    return delay(design, loss, runs, np.random.default_rng(seed))


def middle(result):
    return result.median_days if result.median_days is not None else 10_000


def test_larger_losses_are_seen_sooner():
    days = [middle(found(DESIGN, PlannedLoss(size, 0.2))) for size in (0.15, 0.3, 0.6)]
    assert days == sorted(days, reverse=True)
    assert days[0] > days[-1]


def test_a_label_a_judge_and_a_better_eye_each_help():
    plain = middle(found(DESIGN, SLICE))
    assert middle(found(DESIGN, replace(SLICE, is_labelled=False))) > plain
    assert middle(found(replace(DESIGN, shadow_per_day=600.0), SLICE)) < plain
    assert middle(found(replace(DESIGN, sensitivity=0.4), SLICE)) > plain


def test_nothing_to_see_is_hardly_ever_seen():
    healthy = found(DESIGN, PlannedLoss(1e-9, 0.1), runs=200)
    # Half of alpha over the horizon, and a binomial's width.
    assert healthy.seen_share <= 0.025 + 3 * (0.025 * 0.975 / 200) ** 0.5


def test_the_reference_is_the_tables_own_line_and_only_better_ways_are_shown():
    design = replace(DESIGN, sensitivity=0.5, tail_share=0.0)
    report = plan(
        design, (), losses_of([0.35], [0.1]), SLICE, runs=30, seed=4, has_reference=True,
    )  # fmt: skip
    assert report.now == report.delays[0]
    assert report.options
    assert all(middle(option.delay) <= middle(report.now) for option in report.options)
    assert [middle(option.delay) for option in report.options] == sorted(middle(o.delay) for o in report.options)


def test_the_same_seed_gives_the_same_plan():
    assert found(DESIGN, SLICE, runs=20) == found(DESIGN, SLICE, runs=20)


def test_reviews_are_divided_by_what_speaks_for_each_of_all_cells():
    few, many = (deserved(np.array([[200.0, 0.0]]), cells) for cells in (2, 60))
    assert few[0, 0] > many[0, 0] > 0.0
    assert few[0, 1] == 0.0
    assert deserved(np.array([[1e9, 1e9]]), 12).sum() <= 0.8


def test_more_cells_and_more_streams_make_it_later():
    steered, loss = replace(DESIGN, shadow_per_day=600.0, baseline_days=60), PlannedLoss(0.15, 0.1)

    def days_of(design):
        result = found(design, loss, runs=200)
        return result.median_days + result.p90_days

    plain = days_of(steered)
    assert days_of(replace(steered, steer_cells=400)) > plain
    assert days_of(replace(steered, budget_share=0.001)) > plain


def test_each_role_that_a_log_has_takes_its_part_of_the_budget():
    plain = watched_weights(DESIGN)
    with_topics = watched_weights(replace(DESIGN, other_roles=(*DESIGN.other_roles, "topic")))
    assert all(with_topics[role] < weight for role, weight in plain.items())
    halved = watched_weights(replace(DESIGN, budget_share=0.5))
    assert all(2 * halved[role] == weight for role, weight in plain.items())
    assert watched_weights(replace(DESIGN, tail_share=0.0))["tail"] == 0.0


def test_what_is_assumed_of_the_watching_is_said():
    parts, cells = watching(replace(DESIGN, shadow_per_day=600.0), "assumed")
    assert (parts.source, cells.value) == ("assumed", "10 (segments of one key, by stratum)")
    assert f"{100 * watched_weights(DESIGN)['tier']:.4g} %" in parts.value
    assert watching(DESIGN, "assumed")[1].value == "none"
