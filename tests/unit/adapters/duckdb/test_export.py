"""The clean rows as Parquet give the same cells as the log they came from."""

from pathlib import Path

from undertow.adapters.duckdb import DuckDbAuditSource, LogInputs
from unit.adapters.duckdb.logs import decision, read, signal, write_jsonl


def test_export_and_read_again(tmp_path: Path) -> None:
    rows = [decision(i, i, calls=[{"tier": "cheap", "cost_usd": 1.0}]) for i in range(5)]
    write_jsonl(
        tmp_path / "log" / "decisions" / "d.jsonl", [*rows, decision(2, 3, cost_usd=-1), decision(9, event_time="x")]
    )
    write_jsonl(tmp_path / "log" / "signals" / "s.jsonl", [signal(1), signal(1), signal(2, value=9)])
    source = DuckDbAuditSource(LogInputs((str(tmp_path / "log"),)), threads=1)
    (tmp_path / "out" / "decisions").mkdir(parents=True)
    (tmp_path / "out" / "signals").mkdir()
    source.export_parquet(tmp_path / "out" / "decisions" / "d.parquet", tmp_path / "out" / "signals" / "s.parquet")
    again = read(tmp_path / "out")
    assert (again.coverage.decisions, again.coverage.signals, again.coverage.reasons) == (5, 1, {})
    assert again.calls.cost_usd.sum() == 5.0
    first = read(tmp_path / "log")
    assert first.traffic.decisions.tolist() == again.traffic.decisions.tolist()
