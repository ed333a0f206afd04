"""One record by its id from converted files: the very line that was written."""

from pathlib import Path

from undertow.adapters.store.compaction import compact
from undertow.adapters.store.log import StoreDecisionLog
from undertow.adapters.store.lookup import find_record
from undertow.adapters.store.parquet_lookup import find_in_parquet
from unit.adapters.store.rows import decision_id, plan, record


def test_a_converted_record_is_the_line_that_was_written(tmp_path: Path):
    log = StoreDecisionLog(plan(tmp_path), "w0")
    log.finish(record(1, confidence=0.25, response='a "quoted"\ntext', escalated=False, delivered_chars=0))
    log.finish(record(2))
    log.close()
    assert find_in_parquet(tmp_path, decision_id(1)) is None
    line = find_record(tmp_path, decision_id(1))
    compact(tmp_path, grace_s=0.0)
    assert find_record(tmp_path, decision_id(1)) is None
    assert find_in_parquet(tmp_path, decision_id(1)) == line
    assert find_in_parquet(tmp_path, decision_id(3)) is None
    assert find_in_parquet(tmp_path, "no id") is None
    assert find_in_parquet(tmp_path, "f" * 32) is None
