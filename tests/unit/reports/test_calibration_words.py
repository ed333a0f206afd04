"""What is said of a calibration."""

import msgspec
import pytest

from undertow.records.calibration import Savings
from undertow.reports import calibration_words as words
from unit.reports.calibration_factory import EVERY, grouped, hopeless, shared, single


def test_one_threshold_is_named_with_what_it_promises_and_saves():
    said = words.headline(single())
    assert said.startswith("Serving cheaply from confidence 0.")
    assert "keeps the loss at or below 4 % (certified at 90 %)" in said
    assert "of the requests are served cheaply, saving $" in said
    assert said.endswith("the cheap calls that are thrown away counted")
    assert words.title(single()) == "Certified"


def test_groups_and_a_shared_threshold_are_told_apart():
    assert "each group's own confidence on keeps the loss of each group" in words.headline(grouped())
    assert "the loss of all groups together" in words.headline(shared())


def test_no_threshold_says_so_and_who_answers():
    assert words.headline(hopeless()) == (
        "No threshold keeps the loss at or below 4 % with a certainty of 90 %, so the tier 'capable' goes on answering everything"
    )
    assert words.title(hopeless()) == "Not certified"
    assert "no threshold helps, the capable tier answers" in words.missing(hopeless())[0]


def test_what_costs_more_than_it_saves_is_not_called_a_saving():
    said = words.savings(
        Savings(usd_per_request=-0.001, interval=(-0.002, -0.0005), wasted_usd_per_request=0.001, share=-0.1)
    )
    assert said.startswith("which costs $1.00 per 1,000 requests (95 % interval $0.50 to $2.00)")


def test_a_group_that_a_shared_threshold_hides_is_named():
    report = shared()
    beyond = [group for group in report.calibration.groups if group.certificate and group.certificate.upper > 0.04]
    assert len(words.hidden(report)) == len(beyond) > 0
    assert "the shared threshold hides " in words.hidden(report)[0]
    assert words.hidden(grouped()) == ()


def test_a_group_without_labels_is_said_to_have_none():
    assert words.missing(grouped()) == ("all other requests: no labels, so the tier 'capable' answers them",)


def test_a_group_that_costs_more_than_it_saves_is_named_with_the_setting_that_mends_it():
    report = grouped()
    first, *rest = report.calibration.groups
    dear = Savings(usd_per_request=-0.002, interval=(-0.003, -0.001), wasted_usd_per_request=0.003)
    made = msgspec.structs.replace(report.calibration, groups=(msgspec.structs.replace(first, savings=dear), *rest))
    said = words.missing(msgspec.structs.replace(report, calibration=made))
    assert f'never_cheap = ["{made.group_key}={first.value}"]' in said[-1]
    assert "costs $2.00 more per 1,000 requests than it saves" in said[-1]


@pytest.mark.parametrize("name", EVERY)
def test_every_sentence_is_one_line_and_harmless(name):
    report = EVERY[name]()
    said = (
        words.headline(report),
        words.meaning(report),
        words.left_out(report),
        *words.missing(report),
        *words.hidden(report),
    )
    for sentence in said:
        assert "\n" not in sentence
        assert "\x1b" not in sentence
        assert "\u202e" not in sentence


def test_one_in_ten_is_said_as_that():
    made = msgspec.structs.replace(single().calibration, delta=0.05)
    assert "Of 20 such calibrations one may miss" in words.meaning(msgspec.structs.replace(single(), calibration=made))


def test_quality_stands_beside_what_chance_alone_would_show():
    said = words.quality(single().calibration.groups[0].quality)
    assert "where chance alone shows 0." in said
    assert "before calibration 0." in said
