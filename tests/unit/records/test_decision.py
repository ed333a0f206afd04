import msgspec

from undertow.records.columns import CALLS_SQL_TYPE, LOG_COLUMNS, SIGNAL_COLUMNS
from undertow.records.decision import Call, DecisionRecord, Intent, record_of_dead_process
from undertow.records.signal import SignalRecord


def test_the_record_has_the_log_s_columns_in_order():
    assert DecisionRecord.__struct_fields__ == tuple(column.name for column in LOG_COLUMNS)


def test_a_signal_has_the_signals_columns_in_order():
    assert SignalRecord.__struct_fields__ == tuple(column.name for column in SIGNAL_COLUMNS)


def test_a_call_has_the_fields_of_the_log_s_struct():
    for name in Call.__struct_fields__:
        assert f"{name} " in CALLS_SQL_TYPE
    assert CALLS_SQL_TYPE.count(",") == len(Call.__struct_fields__) - 1


def test_an_intent_holds_fields_of_the_record_alone():
    assert set(Intent.__struct_fields__) <= set(DecisionRecord.__struct_fields__)


def test_what_is_absent_is_not_written():
    line = msgspec.json.encode(DecisionRecord(decision_id="d", event_time="2026-01-01T00:00:00.000Z"))
    assert line == b'{"decision_id":"d","event_time":"2026-01-01T00:00:00.000Z"}'


def test_a_dead_process_leaves_all_that_its_intent_knew():
    intent = Intent(
        decision_id="d",
        event_time="2026-01-01T00:00:00.000Z",
        user_id="u",
        segment={"intent": "billing"},
        eligible=True,
    )
    record = record_of_dead_process(intent)
    assert (record.user_id, record.segment, record.eligible) == ("u", {"intent": "billing"}, True)
    assert (record.status, record.reason, record.tier) == ("error", "process_died", None)
