import pytest

from undertow.adapters.importers.fields import Fields
from undertow.adapters.importers.mapping import SignalRule
from undertow.adapters.importers.rows import Rejected
from undertow.adapters.importers.scores import purpose_of, quality, signal


@pytest.mark.parametrize(
    ("value", "rule", "expected"),
    [
        (True, None, 1.0), (0.25, None, 0.25), ("0.25", None, 0.25), ("Correct", None, 1.0), ("hallucinated", None, 0.0),
        (4, None, "score_out_of_scale"), (-0.1, None, "score_out_of_scale"), ("perhaps", None, "score_not_a_number"), (None, None, "score_missing"), ({}, None, "score_not_a_number"),
        (float("nan"), None, "score_not_a_number"),
        (1, SignalRule("x", scale=(1, 5)), 0.0), (5, SignalRule("x", scale=(1, 5)), 1.0), (5, SignalRule("x", scale=(1, 5), direction="down"), 0.0),
        (2, SignalRule("x", scale=(5, 1)), 0.75), (6, SignalRule("x", scale=(1, 5)), "score_out_of_scale"), ("Meh", SignalRule("x", values={"meh": 0.5}), 0.5),
        (0.2, SignalRule("x", direction="down"), 0.8), ("bad", SignalRule("x", direction="down"), 1.0),
    ],
)  # fmt: skip
def test_values(value, rule, expected):
    found = quality(value, rule, Fields())
    assert found == (expected if isinstance(expected, str) else pytest.approx(expected))


def row(**more):
    base = {"signal_id": "s", "event_time": "2026-08-01T12:00:00Z", "decision_id": "d"}
    return signal(base, name="x", kind="judge", fields=Fields(), rules=more.pop("rules", {}), **more).row


def test_a_sampled_label_without_its_probability_shows_change_only():
    assert row(value=1)["selection"] == "unknown"
    assert "selection" not in row(value=1, rules={"x": SignalRule("x", inclusion_probability=0.1)})
    assert row(value=1, rules={"x": SignalRule("x", selection="census")})["selection"] == "census"


def test_outcomes_keep_their_own_unit():
    found = row(value="12.5", rules={"x": SignalRule("refund", kind="outcome")})
    assert (found["kind"], found["name"], found["value"]) == ("outcome", "refund", 12.5)


def test_unusable_scores_say_why():
    assert signal({}, name="x", kind="judge", value=9, fields=Fields(), rules={}) == Rejected("score_out_of_scale")


def test_kinds_by_name():
    assert [purpose_of(n) for n in ("thumbs", "user-feedback", "CSAT", "toxicity")] == [
        "thumb",
        "thumb",
        "rating",
        "judge",
    ]
