"""A log and its signals become labelled answers, by stated rules."""

import json
import math
from datetime import UTC, datetime

import duckdb
import numpy as np
import pytest

from undertow.adapters.training import answers as module
from undertow.adapters.training.answers import read_answers
from undertow.errors import UsageError


def call(tier, status="ok", cost=1.0, **other):
    return {"tier": tier, "model": f"{tier}-1", "purpose": "serve", "cost_usd": cost, "status": status} | other


def served(number, mean=-0.1, **other):
    """A cheap answer that was confident enough."""
    return {
        "decision_id": f"d{number:03}",
        "event_time": f"2026-01-01T00:{number % 60:02}:00.000Z",
        "tier": "cheap",
        "first_tier": "cheap",
        "model": "cheap-1",
        "arm": "treatment",
        "escalated": False,
        "reason": "confident",
        "confidence_kind": "calibrated",
        "score": mean,
        "features": {"mean_logprob": mean, "answer_log_chars": 3.0},
        "segment": {"task": "faq"},
        "calls": [call("cheap")],
        "baseline_cost_usd": 10.0,
    } | other


def withheld(number, mean=-2.0, **other):
    """A cheap answer that was not: the capable tier's was served."""
    return (
        served(number, mean)
        | {
            "tier": "capable",
            "model": "capable-1",
            "escalated": True,
            "reason": "unsure",
            "calls": [call("cheap", "discarded"), call("capable", cost=9.0)],
        }
        | other
    )


def signal(number, value=1.0, reference=None, kind="judge", name="quality", p=0.5, **other):
    row = {
        "signal_id": f"s{number}-{kind}-{name}-{value}",
        "event_time": "2026-01-02T00:00:00.000Z",
        "decision_id": f"d{number:03}",
        "kind": kind,
        "name": name,
        "value": value,
        "reference_value": reference,
        "inclusion_probability": p,
    } | other
    return {key: item for key, item in row.items() if item is not None}


def store(tmp_path, decisions, signals):
    for folder, rows in (("decisions", decisions), ("signals", signals)):
        path = tmp_path / "store" / folder
        path.mkdir(parents=True, exist_ok=True)
        (path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [str(tmp_path / "store")]


def read(tmp_path, decisions, signals, **options):
    return read_answers(store(tmp_path, decisions, signals), tier="cheap", capable_tier="capable", **options)


def labels(found):
    return {
        each[1:].lstrip("0"): bool(good)
        for each, good, known in zip(found.decision_ids, found.good, found.is_labelled, strict=True)
        if known
    }


def test_a_pair_tells_of_the_answer_that_was_served_and_of_the_one_that_was_withheld(tmp_path):
    found = read(
        tmp_path,
        [served(1), served(2), withheld(3), withheld(4)],
        [signal(1, 0.6, 0.6), signal(2, 0.5, 0.6), signal(3, 0.6, 0.6), signal(4, 1.0, 0.6)],
    )
    assert labels(found) == {"1": True, "2": False, "3": True, "4": False}
    assert found.known is None
    assert found.weight.tolist() == [1.0] * 4
    assert found.features["mean_logprob"].tolist() == [-0.1, -0.1, -2.0, -2.0]
    assert found.cheap_cost_usd.tolist() == [1.0] * 4
    assert found.capable_cost_usd.tolist() == [10.0, 10.0, 9.0, 9.0]
    assert found.served_models == ("cheap-1",)
    assert found.segments[0] == {"task": "faq"}
    assert (found.from_at, found.to_at) == ("2026-01-01T00:01:00.000Z", "2026-01-01T00:04:00.000Z")
    assert found.source == "judge pairs"
    assert not found.reasons


def test_a_single_label_tells_only_of_the_answer_that_was_served(tmp_path):
    found = read(tmp_path, [served(1), served(2), withheld(3)], [signal(1, 0.5), signal(2, 0.4), signal(3, 1.0)])
    assert labels(found) == {"1": True, "2": False}
    assert found.reasons == {"not_served_cheaply": 1}
    assert "every failure of the cheap tier counts as a loss" in found.notes[0]


def test_withheld_answers_without_a_label_come_as_requests_that_nobody_knows_of(tmp_path):
    decisions = [served(n) for n in range(1, 9)] + [withheld(n) for n in range(9, 13)]
    outside = withheld(13, event_time="2026-03-01T00:00:00.000Z")
    found = read(tmp_path, [*decisions, outside], [signal(n, 1.0, 0.5, p=0.1) for n in (1, 8)])
    assert found.is_labelled.tolist() == [True] * 2
    # Nothing was withheld between the first and the last labelled decision.
    late = [served(20), signal(20, 1.0, 0.5, p=0.1)]
    found = read(tmp_path, [*decisions, outside, late[0]], [signal(1, 1.0, 0.5, p=0.1), late[1]])
    assert found.is_labelled.tolist() == [True, True] + [False] * 4
    # Two labels stand for nine served answers, whatever share of the drawn ones was judged in the end.
    assert found.weight.tolist() == [4.5, 4.5, 1.0, 1.0, 1.0, 1.0]
    assert not found.good[2:].any()
    assert "9 answers that were served, 69.2% of" in found.notes[0]
    assert np.isnan(found.available_at[2:]).all()


def test_many_withheld_answers_are_sampled_and_stand_for_all(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_WITHHELD", 3)
    decisions = [served(1), served(20)] + [withheld(n) for n in range(2, 14)]
    found = read(tmp_path, decisions, [signal(1, 1.0, 0.5), signal(20, 1.0, 0.5)])
    assert found.weight.tolist() == [1.0, 1.0, 4.0, 4.0, 4.0]


@pytest.mark.parametrize(
    ("decision", "reason"),
    [
        (served(1, origin="suite"), "not_live"),
        (served(1, eligible=False), "not_eligible"),
        (served(1, tier="capable", first_tier="capable", calls=[call("capable")]), "no_cheap_answer"),
        (served(1, features=None, score=None), "no_features"),
        (withheld(1, reason="empty_answer"), "never_served"),
        (withheld(1, reason="invalid_answer"), "never_served"),
        (served(1, event_time="2025-01-01T00:00:00.000Z"), "too_old"),
        (served(1, tier="middle", calls=[call("cheap", "discarded"), call("middle")]), "another_tier_judged"),
        (
            withheld(1, calls=[call("cheap", "discarded"), call("middle", "discarded"), call("capable")]),
            "another_tier_judged",
        ),
        (served(2), "no_decision"),
    ],
)
def test_decisions_that_say_nothing_are_counted_with_the_reason(tmp_path, decision, reason):
    decision = {key: value for key, value in decision.items() if value is not None}
    found = read(tmp_path, [decision], [signal(1, 1.0, 0.5)], since=datetime(2025, 6, 1, tzinfo=UTC))
    assert len(found) == 0
    assert found.reasons == {reason: 1}


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        (signal(1, 2.0, 0.5), "bad_value"),
        (signal(1, 1.0, 1.5), "bad_value"),
        (signal(1, math.nan, 0.5), "bad_value"),
        (signal(1, kind="shadow"), "no_reference_value"),
        (signal(1, 1.0, 0.5, p=None), "no_inclusion_probability"),
        (signal(1, 1.0, 0.5, selection="volunteered"), "volunteered"),
        (signal(1, 1.0, 0.5, selection="unknown"), "volunteered"),
    ],
)
def test_what_is_no_label_is_counted_with_the_reason(tmp_path, label, reason):
    text = {key: value for key, value in label.items() if not (isinstance(value, float) and math.isnan(value))}
    found = read(tmp_path, [served(1)], [text])
    assert len(found) == 0
    assert found.reasons == {reason: 1}


def test_thumbs_are_no_labels_unless_they_are_named_and_then_they_are_volunteered(tmp_path):
    rows = ([served(1)], [signal(1, kind="thumb", name="up", p=None)])
    assert read(tmp_path, *rows).reasons == {}
    assert read(tmp_path, *rows, signal="thumb.up").reasons == {"volunteered": 1}
    with pytest.raises(UsageError, match=r"review\.accuracy"):
        read(tmp_path, *rows, signal="up")


def test_one_source_is_used_the_best_with_enough_labels(tmp_path, monkeypatch):
    decisions = [served(n) for n in range(1, 8)]
    signals = [signal(n, 0.0, 1.0, kind="shadow") for n in (1, 2)] + [signal(n, kind="review") for n in range(1, 8)]
    few = read(tmp_path, decisions, signals)
    assert few.source == "review"
    assert few.reasons == {"other_source_shadow_pairs": 2}
    monkeypatch.setattr(module, "ENOUGH", 2)
    assert labels(read(tmp_path, decisions, signals)) == {"1": False, "2": False}
    assert len(read(tmp_path, decisions, signals, signal="review.quality")) == 7


def test_several_labels_of_a_decision_of_one_draw_are_averaged(tmp_path):
    signals = [
        signal(1, value, 0.5, name=name, p=0.25) for name, value in (("quality", 1.0), ("tone", 0.1), ("tact", 0.2))
    ]
    found = read(tmp_path, [served(1)], signals)
    assert labels(found) == {"1": False}
    assert found.notes == ()


def test_labels_of_two_designs_are_not_mixed(tmp_path):
    """A plain sample of all answers, and one of many of the less confident ones, which are good where the others are not."""
    rng = np.random.default_rng(4)
    decisions, signals = [], []
    for number in range(3000):
        is_tail = number % 5 < 4
        own = {"decision_id": f"d{number:06}"}
        decisions.append(served(number, -1.0 if is_tail else -0.1) | own)
        for source, p in (("plain", 0.2), ("tail", 0.3 if is_tail else 0.0)):
            if rng.random() < p:
                label = signal(number, 1.0 if is_tail else 0.0, 1.0, p=p, source=source)
                signals.append(label | own | {"signal_id": f"{source}-{number}"})
    found = read(tmp_path, decisions, signals)
    plain = sum(label["source"] == "plain" for label in signals)
    assert len(found) == plain
    assert found.reasons == {"other_design": len(signals) - plain}
    # Of the answers 20 % fail; counted by the probabilities of both designs it would be some 13 %.
    assert float(found.weight[~found.good].sum() / found.weight.sum()) == pytest.approx(0.2, abs=0.03)
    assert "judge.quality of source 'plain' are used" in found.notes[0]


def many(count, of, name="d", start=0, **other):
    """Decisions of one kind, spread over 24 hours."""
    return [
        of(number, **other)
        | {"decision_id": f"{name}{number:05}", "event_time": f"2026-01-01T{number * 24 // count:02}:00:00.000Z"}
        for number in range(start, count)
    ]


def judged(decisions, p=0.5, good=True):
    """Every second of them judged in a pair, or whatever share p says."""
    step = round(1 / p)
    return [
        signal(0, 1.0, 1.0 if good else 0.5, p=p)
        | {"decision_id": each["decision_id"], "signal_id": f"s-{each['decision_id']}"}
        for each in decisions[::step]
    ]


def test_answers_withheld_before_they_were_labelled_come_as_requests_that_nobody_knows_of(tmp_path):
    given, kept = many(1200, served, "s"), many(1200, withheld, "w")
    late = [label for label in judged(kept) if label["decision_id"] >= "w01140"]
    found = read(tmp_path, given + kept, judged(given) + late)
    unknown = ~found.is_labelled
    assert 1000 < unknown.sum() < 1200
    assert found.weight[unknown].sum() == pytest.approx(unknown.sum())
    # Nothing is lost of the denominator, and the early ones are not stood for by the late ones.
    assert found.weight.sum() == pytest.approx(2400)
    assert "do not cover" in " ".join(found.notes)


def test_only_hours_with_labels_of_withheld_answers_count_where_they_are_enough(tmp_path):
    given, kept = many(1200, served, "s"), many(1200, withheld, "w")
    late = [label for label in judged(kept) if label["decision_id"] >= "w00600"]
    found = read(tmp_path, given + kept, judged(given) + late)
    assert found.known is None
    assert found.from_at == "2026-01-01T12:00:00.000Z"
    assert found.weight.sum() == pytest.approx(1200)
    assert found.reasons == {"withheld_not_labelled_then": 300}


def test_labels_of_holdout_decisions_alone_stand_for_all_requests(tmp_path):
    held = many(
        300,
        served,
        "h",
        tier="capable",
        first_tier="capable",
        arm="holdout",
        reason="holdout",
        calls=[call("capable"), call("cheap", purpose="shadow")],
    )
    pairs = [label | {"kind": "shadow"} for label in judged(held, 1.0)]
    found = read(tmp_path, held + many(900, served, "s") + many(900, withheld, "w"), pairs)
    assert len(found) == 300
    assert found.known is None
    # Beside them, labels of served answers alone.
    both = read(
        tmp_path,
        held + many(900, served, "s") + many(900, withheld, "w"),
        pairs + [label | {"kind": "shadow"} for label in judged(many(900, served, "s"))],
    )
    assert len(both) == 300
    assert both.reasons == {"other_arm_labels": 450}


def test_an_answer_of_checked_tool_calls_is_always_served(tmp_path):
    bare = {
        key: value
        for key, value in served(1, features={"answer_log_tokens": 2.0}).items()
        if key not in {"score", "confidence_kind"}
    }
    empty = {key: value for key, value in bare.items() if key != "features"} | {"decision_id": "d002"}
    sure = served(3, confidence=0.9)
    signals = [signal(n, 1.0, 0.5) for n in (1, 2, 3)]
    found = read(tmp_path, [bare, empty, sure], signals)
    assert found.decision_ids == ("d001", "d002", "d003")
    assert found.always_served.tolist() == [True, True, False]
    assert read(tmp_path, [sure], signals[2:]).always_served is None


def test_how_many_first_tokens_were_looked_at_stays_among_the_features(tmp_path):
    given = {"mean_logprob": -0.1, "prefix.mean_logprob": -0.2, "prefix.tokens": 16.0}
    found = read(tmp_path, [served(1, features=given)], [signal(1, 1.0, 0.5)])
    assert found.features["prefix.tokens"].tolist() == [16.0]


def test_a_log_without_features_has_its_score_and_an_answer_without_confidence_stays_in_the_sample(tmp_path):
    old = {key: value for key, value in served(1, mean=-0.5).items() if key != "features"} | {
        "confidence_kind": "uncalibrated"
    }
    blind = {
        key: value for key, value in withheld(2, reason="no_confidence").items() if key not in {"features", "score"}
    }
    found = read(tmp_path, [old, blind], [signal(1, 1.0, 0.5), signal(2, 1.0, 0.5)])
    assert found.features.keys() == {"mean_logprob"}
    assert found.features["mean_logprob"][0] == -0.5
    assert np.isnan(found.features["mean_logprob"][1])


def test_a_shadowed_holdout_counts_where_its_cheap_answer_was_measured(tmp_path):
    held = served(1, tier="capable", first_tier="capable", arm="holdout", reason="holdout")
    held["calls"] = [call("capable"), call("cheap", purpose="shadow")]
    found = read(tmp_path, [held], [signal(1, 0.5, 0.9, kind="shadow")])
    assert labels(found) == {"1": True}


def test_a_cost_that_is_partly_unknown_is_unknown(tmp_path):
    checked = served(1, calls=[call("cheap"), call("cheap", purpose="self_check", cost=0.5)])
    partly = served(2, calls=[call("cheap"), call("cheap", purpose="self_check", cost=None)])
    found = read(tmp_path, [checked, partly], [signal(1, 1.0, 0.5), signal(2, 1.0, 0.5)])
    assert found.cheap_cost_usd[0] == 1.5
    assert np.isnan(found.cheap_cost_usd[1])


def test_parquet_says_the_same_as_lines_and_kept_text_is_read(tmp_path):
    decisions = [served(1, prompt='[{"role": "user", "content": "where?"}]'), withheld(2)]
    inputs = store(tmp_path, decisions, [signal(1, 1.0, 0.5), signal(2, 1.0, 0.5)])
    lines = read_answers(inputs, tier="cheap", capable_tier="capable")
    parquet = tmp_path / "decisions.parquet"
    duckdb.sql(
        "COPY (SELECT * REPLACE (CAST(segment AS JSON)::MAP(VARCHAR, VARCHAR) AS segment, CAST(features AS JSON)::MAP(VARCHAR, DOUBLE) AS features)"
        f" FROM read_json('{tmp_path}/store/decisions/rows.jsonl')) TO '{parquet}' (FORMAT parquet)"
    )
    found = read_answers(
        [str(parquet)],
        tier="cheap",
        capable_tier="capable",
        signals=[str(tmp_path / "store" / "signals" / "rows.jsonl")],
    )
    for one in (lines, found):
        assert one.texts == ("where?", "")
        assert one.features["answer_log_chars"].tolist() == [3.0, 3.0]
        assert one.cheap_cost_usd.tolist() == [1.0, 1.0]
        assert one.segments[1] == {"task": "faq"}
        assert one.available_at.tolist() == [datetime(2026, 1, 2, tzinfo=UTC).timestamp()] * 2


def test_features_that_bear_the_tiers_name_are_its_own_whichever_tier_was_judged_last(tmp_path):
    both = {"cheap/mean_logprob": -0.7, "mean_logprob": -0.1}
    passed = withheld(
        1, features=both, calls=[call("cheap", "discarded"), call("middle", "discarded"), call("capable")]
    )
    found = read(tmp_path, [passed], [signal(1, 1.0, 0.5)])
    assert found.features["mean_logprob"].tolist() == [-0.7]
    assert set(found.features) == {"mean_logprob"}


def test_a_pair_counts_by_the_probability_with_which_both_answers_were_seen(tmp_path):
    signals = [
        signal(1, 0.6, 0.6, kind="review"),
        signal(2, 0.5, 0.6, kind="review", pair_probability=0.1),
        signal(3, 0.6, 0.6, kind="review", pair_probability=0.9),
    ]
    found = read(tmp_path, [served(1), served(2), served(3)], signals)
    by_id = dict(zip(labels(found), found.weight.tolist(), strict=True))
    assert by_id["2"] == pytest.approx(5 * by_id["1"])
    assert by_id["3"] == pytest.approx(by_id["1"]), "a pair is seen no oftener than its decision is reviewed"
