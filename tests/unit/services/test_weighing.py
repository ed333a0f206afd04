"""Which places an alarm is worth routing back: what loses more than it saves, by labels that stand for the traffic."""

from dataclasses import replace

import numpy as np
import pytest

from cells_factory import build, day, labels, served
from undertow.records.report import AuditSettings
from undertow.services.weighing import Trouble, weighed_places

DAYS, ONSET = 60, 40
BEFORE = 5.0


def failing(after, before=BEFORE):
    """Of 100 labels a day: another rate from the onset on."""
    return np.where(np.arange(DAYS) < ONSET, before, after)


def log(*rates, key="intent", signal="review.accuracy", **options):
    """Segments a, b, c, ... of alike traffic, each of which saves 3 cents a request, and a holdout."""
    parts = []
    for name, rate in zip("abcdef", rates, strict=False):
        place = {"segment": f"{key}={name}", "days": DAYS}
        parts += [
            served("cheap", 400, **place),
            served("capable", 40, arm="holdout", **place),
            labels("cheap", 100, failing(rate), signal=signal, **place, **options),
        ]
    return parts


def weighed(parts, failure_usd=None, segment="", onset=ONSET, is_level=False, margin=0.02):
    trouble = Trouble("cheap", segment, day(onset), is_level)
    return weighed_places(build(*parts), AuditSettings(), trouble, failure_usd, margin)


def names(places):
    return None if places is None else [place.segment for place in places]


def test_what_loses_more_than_it_saves_goes_back_the_worst_first():
    parts = log(35.0, 6.0, 25.0)
    found = weighed(parts, failure_usd=0.5)
    assert names(found) == ["intent=a", "intent=c"]
    assert found[0].expected_loss == pytest.approx(0.30, abs=0.02)
    assert found[0].net_usd == pytest.approx(0.03 - 0.5 * found[0].expected_loss)
    assert names(weighed(parts, failure_usd=0.05)) == [], "a loss that savings pay for is kept"
    assert names(weighed(parts, failure_usd=0.12)) == ["intent=a"]


def test_without_a_cost_the_margin_decides():
    found = weighed(log(35.0, 5.0, 8.0))
    assert names(found) == ["intent=a", "intent=c"]
    assert {place.net_usd for place in found} == {None}
    assert names(weighed(log(35.0, 5.0, 8.0), margin=0.1)) == ["intent=a"]


def test_a_segment_whose_savings_are_unknown_goes_by_the_margin():
    parts = [
        *log(35.0, 5.0),
        served("cheap", 400, days=DAYS, segment="intent=c", cost=None),
        labels("cheap", 100, failing(10.0), days=DAYS, segment="intent=c"),
    ]
    found = {place.segment: place.net_usd for place in weighed(parts, failure_usd=0.5)}
    assert found.keys() == {"intent=a", "intent=c"}
    assert found["intent=c"] is None


def test_a_tier_that_loses_everywhere_goes_back_as_a_whole():
    (place,) = weighed(log(35.0, 25.0, 45.0), failure_usd=0.5)
    assert place.segment == ""
    assert place.expected_loss == pytest.approx(0.30, abs=0.02)
    assert place.net_usd == pytest.approx(0.03 - 0.5 * place.expected_loss)
    cells, trouble = build(*log(35.0, 25.0)), Trouble("cheap", "", day(ONSET), False)
    apart = weighed_places(cells, AuditSettings(), trouble, 0.5, 0.02, apart=True)
    assert names(apart) == ["intent=a", "intent=b"]


def test_the_label_of_the_alarm_divides_and_else_the_one_that_tells_most_apart():
    """The same requests by intent, where one loses, and by language, over which the loss is spread."""
    cells = build(*log(25.0, 5.0), *log(15.0, 15.0, key="language"))
    # Both are of the same requests, so the tier has half of what the parts add up to.
    decisions = np.where(cells.traffic.segment == 0, 0.5, 1.0) * cells.traffic.decisions
    cells = replace(cells, traffic=replace(cells.traffic, decisions=decisions))

    def found(segment):
        return names(weighed_places(cells, AuditSettings(), Trouble("cheap", segment, day(ONSET), False), 0.5, 0.02))

    assert found("") == found("intent=b") == ["intent=a"]
    assert found("language=b") == [""]


@pytest.mark.parametrize("lacking", ["labels before", "labels after", "requests without a label", "no tier"])
def test_what_cannot_be_weighed_is_not(lacking):
    parts, onset, tier = log(35.0, 5.0), ONSET, "cheap"
    match lacking:
        case "labels before":
            onset = 0
        case "labels after":
            parts = [
                served("cheap", 400, days=DAYS, segment="intent=a"), served("capable", 40, days=DAYS, segment="intent=a"),
                labels("cheap", 100, 5.0, days=ONSET, segment="intent=a"),
            ]  # fmt: skip
        case "requests without a label":
            parts.append(served("cheap", 200, days=DAYS))
        case "no tier":
            tier = "capable"
    assert weighed_places(build(*parts), AuditSettings(), Trouble(tier, "", day(onset), False), None, 0.02) is None


def test_a_level_is_weighed_against_the_other_answer_of_the_same_pair():
    """Both segments fail at 20 %; the capable tier's answers in the first one fail at 5 %, in the second as well at 20 %."""
    parts = []
    for name, lost, won in (("a", 18.0, 3.0), ("b", 10.0, 10.0)):
        place = {"segment": f"intent={name}", "days": DAYS}
        parts += [served("cheap", 400, **place), labels("cheap", 100, 20.0, pairs=True, lost=lost, won=won, **place)]
    parts.append(served("capable", 40, days=DAYS, arm="holdout"))
    found = weighed(parts, failure_usd=0.5, onset=0, is_level=True)
    assert names(found) == ["intent=a"]
    assert found[0].expected_loss == pytest.approx(0.15, abs=0.02)


def test_a_judge_says_where_and_people_how_much():
    """People have two labels a day in each segment; the judge compares forty pairs."""
    parts = []
    for name, seen, flagged in (("a", 0.6, 16.0), ("b", 0.1, 4.0), ("c", 0.1, 4.0)):
        place = {"segment": f"intent={name}", "days": DAYS}
        parts += [
            served("cheap", 400, **place),
            labels("cheap", 2, failing(seen, 0.1), **place),
            labels("cheap", 40, 0.0, signal="shadow.judge", basis="judge", pairs=True, lost=failing(flagged, 4.0), **place),
        ]  # fmt: skip
    alone = [part for part in parts if part.signal != "shadow.judge"]
    parts.append(served("capable", 40, days=DAYS, arm="holdout"))
    with_judge = weighed(parts, failure_usd=0.5)
    assert names(with_judge) == ["intent=a"]
    without = weighed([*alone, served("capable", 40, days=DAYS, arm="holdout")], failure_usd=0.5)
    assert "intent=a" in names(without)
    assert len(names(without)) > 1 or without[0].expected_loss < with_judge[0].expected_loss


def test_labels_that_are_drawn_more_often_do_not_count_for_more():
    """A tenth of the traffic is hard and fails at 40 % before and after; since the onset it is drawn five times as often."""
    parts = []
    for name, after in (("a", 25.0), ("b", 5.0)):
        place = {"segment": f"intent={name}", "days": DAYS}
        parts += [
            served("cheap", 400, **place),
            labels("cheap", 100, failing(after), weight=9.0, **place),
            labels("cheap", 20, 8, weight=5.0, segment=place["segment"], days=ONSET),
            labels("cheap", 100, 40, weight=1.0, segment=place["segment"], start=ONSET, days=DAYS - ONSET),
        ]
    parts.append(served("capable", 40, days=DAYS, arm="holdout"))
    found = weighed(parts, failure_usd=0.5)
    assert names(found) == ["intent=a"]
    assert found[0].expected_loss == pytest.approx(0.18, abs=0.03)


def test_a_loss_that_came_weeks_after_the_onset_of_another_is_told_from_the_last_labels():
    """At 20 cents a failure 15 points are worth it; over forty days the second segment lost 9, in the last 14 of them 25."""
    late = np.where(np.arange(DAYS) < DAYS - 14, BEFORE, 30.0)
    place = {"segment": "intent=b", "days": DAYS}
    parts = [*log(35.0, 5.0)[:3], served("cheap", 400, **place), labels("cheap", 100, late, **place)]
    parts += [served("cheap", 400, days=DAYS, segment="intent=c"), labels("cheap", 100, BEFORE, days=DAYS, segment="intent=c")]  # fmt: skip
    assert names(weighed(parts, failure_usd=0.2, onset=20)) == ["intent=a", "intent=b"]


def test_what_it_decides_is_worth_more_than_the_loudest_segment_or_everything():
    """Drawn labels of six segments that lose alike or not, weighed anew every few days; what went back stays: mean net value over draws
    of where that ends, against other ways to answer the same alarm."""
    rng = np.random.default_rng(5)
    rises = np.array([0.30, 0.10, 0.02, 0.0, 0.0, 0.0])
    net = 0.03 - 0.5 * rises
    worth, runs, looks = 0.0, 20, range(ONSET + 5, ONSET + 41, 5)
    for _ in range(runs):
        drawn = {
            name: rng.binomial(12, np.where(np.arange(looks[-1]) < ONSET, 0.08, 0.08 + rise))
            for name, rise in zip("abcdef", rises, strict=True)
        }
        kept = np.ones(6, dtype=bool)
        for until in looks:
            parts = [served("capable", 40, days=until, arm="holdout")]
            for name, failures in drawn.items():
                place = {"segment": f"intent={name}", "days": until}
                parts += [served("cheap", 400, **place), labels("cheap", 12, failures[:until], **place)]
            back = names(weighed(parts, failure_usd=0.5))
            kept &= np.array(["" not in back and f"intent={name}" not in back for name in "abcdef"])
        worth += net[kept].sum() / runs
    loudest, best = net[1:].sum(), np.maximum(net, 0.0).sum()
    assert worth > max(loudest, 0.0) + 0.7 * (best - max(loudest, 0.0))
