from datetime import UTC, datetime

import numpy as np

from undertow.adapters.store.row_log import CALLS, RowLog
from undertow.adapters.store.watching_calls import store_roots, watching_cost
from undertow.records.cells import CALL_PURPOSES
from undertow.records.watched import WatchingCall

DAY = 86_400
MARCH = 20_513  # 2026-03-01


def call(at="2026-03-01T12:00:00.000Z", purpose="shadow", **values):
    return WatchingCall(decision_id="d", at=at, purpose=purpose, tier="capable", **values)


def sums(cost):
    cells = cost.cells
    rows = zip(cells.bucket, cells.purpose, cells.calls, cells.cost_n, cells.cost_usd, cells.not_made, strict=True)
    return {(int(b), CALL_PURPOSES[p]): (int(n), int(k), round(float(u), 6), int(m)) for b, p, n, k, u, m in rows}


def test_calls_are_summed_by_day_and_purpose_from_open_and_sealed_segments(tmp_path):
    sealed, still_open = RowLog(tmp_path, CALLS, "a"), RowLog(tmp_path, CALLS, "b")
    sealed.append(call(cost_usd=0.5), call(cost_usd=0.25), call(status="timeout"), call(status="budget"))
    sealed.close()
    still_open.append(call(purpose="judge", cost_usd=0.125), call("2026-03-02T00:00:00.000Z", cost_usd=1.0))
    found = watching_cost([tmp_path], DAY)
    assert sums(found) == {
        (MARCH, "shadow"): (3, 2, 0.75, 1),
        (MARCH, "judge"): (1, 1, 0.125, 0),
        (MARCH + 1, "shadow"): (1, 1, 1.0, 0),
    }
    assert found.broken == 0
    still_open.close()


def test_lines_that_are_none_are_counted_and_costs_that_make_no_sense_are_not_known(tmp_path):
    folder = tmp_path / CALLS
    folder.mkdir()
    (folder / "20260301T120000123Z-w0-0123456789ab-000001.jsonl").write_bytes(
        b'{"at":"2026-03-01T12:00:00Z","purpose":"shadow","cost_usd":-5}\n'
        b'{"at":"2026-03-01T12:00:00","purpose":"shadow","cost_usd":0.5}\n'
        b'{"at":"yesterday","purpose":"shadow"}\n'
        b'{"at":"2026-03-01T12:00:00Z","purpose":"mining"}\n'
        b'not json\n\xff\n[]\n{"at":"2026-03-01T12:00:00Z","purpose":"shad'
    )
    found = watching_cost([tmp_path], DAY)
    assert sums(found) == {(MARCH, "shadow"): (2, 1, 0.5, 0)}
    assert found.broken == 5


def test_what_was_not_known_yet_is_left_out(tmp_path):
    log = RowLog(tmp_path, CALLS, "a")
    log.append(call(cost_usd=0.5), call("2026-03-05T00:00:00.000Z", cost_usd=1.0))
    log.close()
    found = watching_cost([tmp_path], DAY, datetime(2026, 3, 2, tzinfo=UTC))
    assert sums(found) == {(MARCH, "shadow"): (1, 1, 0.5, 0)}


def test_a_store_without_calls_counts_nothing(tmp_path):
    cells = watching_cost([tmp_path], DAY).cells
    assert (len(cells), cells.bucket.dtype, cells.calls.dtype) == (0, np.int64, np.int64)


def test_only_roots_of_stores_hold_calls(tmp_path):
    store, other = tmp_path / "store", tmp_path / "other"
    (store / "decisions").mkdir(parents=True)
    other.mkdir()
    names = [str(store), f"{store}/", str(other), str(tmp_path / "log.jsonl"), str(tmp_path / "*.parquet")]
    assert store_roots(names) == (store,)
