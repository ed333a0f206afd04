import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.records.pseudonym import pseudonym
from undertow.services.collect import MAX_ROWS, SignalsError, read_signals

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def read(rows, **options):
    options.setdefault("default_kind", "thumb")
    return read_signals(json.dumps(rows).encode(), at=NOW, new_id=iter(map(str, range(99))).__next__, **options)


def reason(row, **options):
    result = read(row, **options)
    assert not result.signals
    return result.rejected[0].reason


def test_a_thumb_needs_a_decision_and_a_value():
    (signal,) = read({"decision_id": "d", "value": 1}).signals
    assert (signal.kind, signal.name, signal.value, signal.signal_id) == ("thumb", "helpful", 1.0, "0")
    assert signal.event_time == signal.received_at == "2026-03-01T12:00:00.000Z"


def test_a_truth_value_is_a_thumb_up_or_down():
    assert [
        s.value for s in read([{"decision_id": "d", "value": True}, {"decision_id": "d", "value": False}]).signals
    ] == [1, 0]


def test_the_idempotency_key_is_the_id_of_one_row_and_the_stem_of_many():
    assert read({"user_id": "u", "value": 0}, idempotency_key="k").signals[0].signal_id == "k"
    rows = [{"user_id": "u", "value": 0}, {"user_id": "u", "value": 1, "signal_id": "own"}]
    assert [s.signal_id for s in read(rows, idempotency_key="k").signals] == ["k:0", "own"]


def test_good_rows_of_a_batch_are_kept_beside_bad_ones():
    result = read([{"decision_id": "d", "value": 1}, {"decision_id": "d", "value": 7}, 3])
    assert len(result.signals) == 1
    assert [(row.index, row.reason) for row in result.rejected] == [
        (1, "value is 7; quality signals lie in [0, 1], 1 is best"),
        (2, "is a number; expected an object"),
    ]


def test_an_outcome_has_its_own_unit_and_needs_a_name():
    (signal,) = read({"user_id": "u", "name": "refund", "value": 129.5}, default_kind="outcome").signals
    assert (signal.kind, signal.value) == ("outcome", 129.5)
    assert "name is missing" in reason({"user_id": "u", "value": 1}, default_kind="outcome")


def test_a_mistyped_field_is_named_with_the_one_that_was_meant():
    assert (
        reason({"decison_id": "d", "value": 1}) == "'decison_id' is no field of a signal; did you mean 'decision_id'?"
    )


def test_what_other_tools_call_metric_is_a_name_and_a_comment_is_not_kept():
    result = read({"decision_id": "d", "metric": "solved", "value": 1, "comment": "my card is 4111"})
    assert result.signals[0].name == "solved"
    assert result.unstored == ("comment",)


def test_ids_are_made_pseudonymous_but_the_decision_s_own():
    hide = lambda value: pseudonym(value, b"k")  # noqa: E731
    (signal,) = read({"decision_id": "d", "user_id": "u", "conversation_id": "c", "value": 1}, pseudonym=hide).signals
    assert signal.decision_id == "d"
    assert (signal.user_id, signal.conversation_id) == (hide("u"), hide("c"))


def test_the_caller_cannot_say_when_we_had_it():
    (signal,) = read({"decision_id": "d", "value": 1, "received_at": "2020-01-01T00:00:00Z"}).signals
    assert signal.received_at == "2026-03-01T12:00:00.000Z"


def test_a_sampled_label_needs_its_probability_and_a_review_without_one_is_unknown():
    base = {"decision_id": "d", "kind": "review", "name": "accuracy", "value": 1}
    assert "inclusion_probability is needed" in reason({**base, "selection": "sampled"})
    assert read(base).signals[0].selection == "unknown"
    assert read({**base, "inclusion_probability": 0.1}).signals[0].selection is None
    assert "it lies in (0, 1]" in reason({**base, "inclusion_probability": 0})


def test_a_pair_may_have_a_probability_of_its_own():
    base = {
        "decision_id": "d",
        "kind": "review",
        "name": "accuracy",
        "value": 1,
        "reference_value": 1,
        "inclusion_probability": 0.5,
    }
    assert read(base).signals[0].pair_probability is None
    assert read({**base, "pair_probability": 0.1}).signals[0].pair_probability == 0.1
    assert "pair_probability is 1.5; it lies in (0, 1]" in reason({**base, "pair_probability": 1.5})


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-02-28T10:00:00+01:00", "2026-02-28T09:00:00.000Z"),
        (1_772_272_800, "2026-02-28T10:00:00.000Z"),
        (1_772_272_800_000, "2026-02-28T10:00:00.000Z"),
    ],
)
def test_times_are_read_in_common_forms(time, expected):
    assert read({"decision_id": "d", "value": 1, "event_time": time}).signals[0].event_time == expected


@pytest.mark.parametrize(
    ("time", "why"),
    [
        ("2026-02-28T10:00:00", "no time zone"),
        ("yesterday", "cannot be read"),
        (True, "cannot be read"),
        (1e300, "cannot be read"),
        ("2026-03-01T12:06:00Z", "in the future"),
        ("1970-01-01T00:00:00Z", "before 1990"),
    ],
)
def test_times_that_cannot_be_meant_are_rejected(time, why):
    assert why in reason({"decision_id": "d", "value": 1, "event_time": time})


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"[]"])
def test_a_body_without_rows_is_an_error(body):
    with pytest.raises(SignalsError):
        read_signals(body, default_kind="thumb", at=NOW, new_id=str)


def test_a_batch_has_a_bound():
    with pytest.raises(SignalsError, match="10,001 rows"):
        read([1] * (MAX_ROWS + 1))


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_any_json_is_kept_or_rejected_row_by_row(document):
    try:
        result = read(document)
    except SignalsError:
        return
    count = len(document) if isinstance(document, list) else 1
    assert len(result.signals) + len(result.rejected) == count


@given(
    st.dictionaries(
        st.sampled_from(["decision_id", "user_id", "value", "kind", "name", "event_time"]),
        st.text() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
    )
)
def test_no_reason_repeats_more_than_a_short_piece_of_a_value(row):
    for rejected in read(row).rejected:
        assert len(rejected.reason) < 300


def test_the_stratum_of_a_draw_is_kept():
    base = {"decision_id": "d", "kind": "review", "name": "accuracy", "value": 1, "inclusion_probability": 0.1}
    assert read({**base, "stratum": "tail@2+intent=billing"}).signals[0].stratum == "tail@2+intent=billing"
    assert read(base).signals[0].stratum is None
    assert "stratum has 513 characters" in reason({**base, "stratum": "x" * 513})
    assert "stratum is an object" in reason({**base, "stratum": {}})


def test_an_outcome_may_be_corrected_and_taken_back():
    base = {"user_id": "u", "name": "refund", "signal_id": "r1"}
    options = {"default_kind": "outcome"}
    (signal,) = read({**base, "value": 3, "revision": 1}, **options).signals
    assert (signal.revision, signal.deleted) == (1, None)
    (signal,) = read({**base, "revision": 1_772_366_400_000, "deleted": True}, **options).signals
    assert (signal.value, signal.deleted) == (0.0, True)
    for wrong in (-1, 1.5, True, "1", 2**60):
        assert "revision is no whole number" in reason({**base, "value": 3, "revision": wrong}, **options)
    assert "deleted is text; expected true or false" in reason({**base, "value": 3, "deleted": "yes"}, **options)
    assert "value is missing" in reason({**base, "deleted": False}, **options)


def test_only_the_first_rows_are_told_what_is_near_their_unknown_field():
    rejected = read([{"decison_id": "d", "value": 1}] * 1_000).rejected
    assert [row.index for row in rejected if "did you mean" in row.reason] == list(range(20))
    assert all("known: signal_id" in row.reason for row in rejected[20:])
