"""The judge's detector names the cell in which it rose, and keeps quiet on a healthy log."""

from dataclasses import replace

import numpy as np

from cells_factory import build, labels, served
from undertow.services.suspicion import suspicions

DAYS = 50


def log(rise, *, basis="judge", selection="sampled", reviews=0):
    counts = {"billing": rise, "faq": 0.0, "account": 0.0}
    parts = [served("capable", 100, days=DAYS)]
    for name, up in counts.items():
        for stratum in (0, 1):
            rate = np.where(np.arange(DAYS) >= 35, 0.08 + (up if stratum == 0 else 0.0), 0.08)
            parts.append(
                labels(
                    "cheap", 50, 50 * rate, days=DAYS, segment=f"intent={name}", stratum=stratum, basis=basis,
                    selection=selection, signal="judge.quality",
                )
            )  # fmt: skip
            if reviews:
                parts.append(
                    labels("cheap", reviews, 0.08 * reviews, days=DAYS, segment=f"intent={name}", stratum=stratum)
                )
        parts.append(served("cheap", 300, days=DAYS, segment=f"intent={name}"))
    return build(*parts, tiers=("cheap", "capable"))


def test_the_cell_that_rose_is_named():
    found = suspicions(log(0.2))
    assert [(each.tier, each.segment, each.stratum) for each in found] == [("cheap", "intent=billing", "tail")]
    assert found[0].is_suspect
    assert 0.7 < found[0].share <= 0.8
    assert found[0].signal == "judge.quality"


def test_a_healthy_log_is_not_suspect():
    assert suspicions(log(0.0)) == ()


def test_people_are_no_judge_and_volunteers_show_no_level():
    assert suspicions(log(0.2, basis="human")) == ()
    assert suspicions(log(0.2, selection="volunteered")) == ()


def test_people_who_find_nothing_take_the_suspicion_away():
    alone = suspicions(log(0.06))
    assert [each.segment for each in alone] == ["intent=billing"]
    beside_people = suspicions(log(0.06, reviews=60))
    assert not beside_people or beside_people[0].evidence < 0.1 * alone[0].evidence


def test_strata_are_told_by_their_names_and_those_that_ended_are_left():
    rose = log(0.2)
    signals = {rose.signals.index("judge.quality"): ("tail", "whole")}
    assert [each.stratum for each in suspicions(replace(rose, strata=signals))] == ["tail"]
    named = {rose.signals.index("judge.quality"): ("common", "whole")}
    assert [each.stratum for each in suspicions(replace(rose, strata=named))] == ["common"]
    # The tail was cut anew: the last thing that is known of the old one is that it was suspect, and nobody can look there.
    ended = replace(
        rose,
        labels=rose.labels.take((rose.labels.stratum != 0) | (rose.labels.available < rose.labels.available.max() - 8)),
    )
    assert suspicions(ended) == ()


def test_people_and_judge_number_the_strata_that_they_name_each_by_itself():
    """The judge has pairs of an undivided tier, people have none: its tail is the first of both, its common stratum only of theirs the second."""

    def beside(people):
        parts = [served("capable", 100, days=DAYS), served("cheap", 300, days=DAYS, segment="intent=a")]
        rise = np.where(np.arange(DAYS) >= 35, 0.16, 0.08)
        parts += [
            labels(
                "cheap", 50, 50 * rise, days=DAYS, segment="intent=a", stratum=1, basis="judge", signal="judge.quality"
            ),
            labels("cheap", 60, 4.8, days=DAYS, segment="intent=a", stratum=0, signal="review.accuracy"),
        ]
        cells = build(*parts, tiers=("cheap", "capable"))
        names = {"judge.quality": ("common", "tail@2"), "review.accuracy": (people,)}
        found = suspicions(replace(cells, strata={cells.signals.index(signal): name for signal, name in names.items()}))
        return max((each.evidence for each in found), default=0.0)

    assert beside("tail@2") < 0.1 * beside("common")


def test_what_an_alarm_has_told_of_is_not_looked_at_for_ever():
    assert suspicions(log(0.2), told={("cheap", "intent=billing")}) == ()


def test_strata_that_are_counted_together_raise_no_suspicion():
    rose = log(0.2)
    code = rose.signals.index("judge.quality")
    assert suspicions(replace(rose, merged={code: 0})) == ()


def test_labels_that_name_no_stratum_beside_named_ones_are_of_either():
    rose = log(0.2)
    found = suspicions(replace(rose, strata={rose.signals.index("judge.quality"): ("whole",)}))
    assert {each.stratum for each in found} == {""}
