"""Labelled answers become a calibration and a report of it."""

import numpy as np
import pytest

from calibration_factory import answers
from undertow.calibration.fit import FitOptions
from undertow.errors import DataError
from undertow.policies.calibration_check import calibration_problems
from undertow.policies.novelty import novelty_of, unpack_seen
from undertow.services.calibrate import BARS, calibrate


def options(**other):
    return FitOptions(
        tier="cheap", capable_tier="capable", fitted_at="2026-01-01T00:00:00Z", **({"margin": 0.05} | other)
    )


def test_the_report_says_what_the_threshold_does_to_all_requests():
    told = []
    given = answers(
        1500, cheap_cost_usd=np.full(1500, 0.1), capable_cost_usd=np.full(1500, 1.0), reasons={"not_live": 3}
    )
    report = calibrate(given, options(), lambda stage, *_: told.append(stage))
    (group,) = report.calibration.groups
    assert report.acceptance == pytest.approx(group.certificate.acceptance)
    assert report.loss == pytest.approx(group.certificate.loss)
    assert report.savings.usd_per_request == pytest.approx(report.acceptance - 0.1)
    assert report.left_out == {"not_live": 3}
    assert list(calibration_problems(report.calibration)) == []
    assert told == ["fitting", "counting"]


def test_bars_hold_every_request_once():
    good = answers(900).good
    known = np.arange(900) < 600
    blind = answers(900).features["mean_logprob"].copy()
    blind[:90] = np.nan
    report = calibrate(answers(900, features={"mean_logprob": blind}, good=good & known, known=known), options())
    assert len(report.bars) == BARS
    assert report.unscored == pytest.approx(0.1)
    assert sum(bar.good + bar.failing + bar.unlabelled for bar in report.bars) == pytest.approx(0.9)
    assert sum(bar.unlabelled for bar in report.bars) == pytest.approx(300 / 900)
    assert (report.bars[0].low, report.bars[-1].high) == (0.0, 1.0)


def test_groups_are_added_up_by_their_weight():
    segments = tuple({"task": "a" if number % 3 else "b"} for number in range(1800))
    weight = np.where(np.arange(1800) % 3 > 0, 1.0, 4.0)
    report = calibrate(answers(1800, segments=segments, weight=weight), options(group_key="task"))
    by_name = {group.value: group.certificate.acceptance for group in report.calibration.groups if group.certificate}
    assert report.acceptance == pytest.approx((1200 * by_name["a"] + 2400 * by_name["b"]) / 3600)


def test_words_of_the_texts_come_along_and_new_ones_are_told_from_them():
    topics = ("where is my parcel", "reset my password", "opening hours of the branch")
    texts = tuple(f"{topics[n % 3]} {'please' if n % 2 else 'now'}" for n in range(400))
    made = calibrate(answers(400, texts=texts), options()).calibration
    seen = unpack_seen(made.distribution.seen_words)
    assert novelty_of("reset my password", seen) == 0.0
    assert novelty_of("dispute a chargeback", seen) == 1.0
    assert made.distribution.novelty == pytest.approx([0.0] * 11)
    # A text whose words nobody else used was new to the others.
    odd = (*texts[:380], *(f"unheard{n} thing{n}" for n in range(20)))
    assert calibrate(answers(400, texts=odd), options()).calibration.distribution.novelty[-1] == 1.0


def test_a_few_texts_or_none_leave_novelty_out():
    for texts in ((), ("a b",) * 49 + ("",) * 351):
        made = calibrate(answers(400, texts=texts), options()).calibration
        assert made.distribution.seen_words == ""
        assert made.distribution.novelty == ()


def test_where_no_threshold_qualifies_the_cheap_calls_are_still_paid():
    # The most confident tenth all look the same, and all fail.
    place = np.arange(400)
    given = answers(
        400,
        good=(place > 120) & (place % 10 > 0) & (place < 361),
        features={"mean_logprob": np.where(place > 360, -0.1, np.linspace(-2.0, -0.4, 400))},
        cheap_cost_usd=np.ones(400),
        capable_cost_usd=np.full(400, 5.0),
    )
    report = calibrate(given, options(margin=0.02))
    assert report.calibration.groups[0].threshold is None
    assert "no threshold helps" in report.calibration.groups[0].note
    assert report.acceptance == 0.0
    assert report.savings.usd_per_request == pytest.approx(-1.0)


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(DataError, match="more"):
        calibrate(answers(40), options())
