"""What Parquet statistics are believed."""

from pathlib import Path

import duckdb
import pytest

from undertow.adapters.duckdb.inputs import LogFile
from undertow.adapters.duckdb.row_sources import Intake, parquet_sources
from undertow.records.columns import DECISION_COLUMNS
from unit.adapters.duckdb.logs import decision, read, write_parquet


def intake_of(*paths: Path) -> Intake:
    intake = Intake()
    files = tuple(LogFile(str(path), "decisions", "parquet", path.stat().st_size) for path in paths)
    parquet_sources(duckdb.connect(), files, DECISION_COLUMNS, intake)
    return intake


def test_facts_are_those_of_all_files_together(tmp_path: Path) -> None:
    first = write_parquet(tmp_path / "a.parquet", [decision(1, cost_usd=0.5), decision(2, cost_usd=None)])
    second = write_parquet(tmp_path / "b.parquet", [decision(3, cost_usd=12.0)])
    (source,) = intake_of(first, second).sources
    cost = source.facts["cost_usd"]
    assert (cost.nulls, cost.values, cost.low, cost.high, cost.no_nan) == (1, 3, "0.5", "12.0", True)
    assert source.facts["tier"].constant == "cheap"
    assert source.facts["decision_id"].constant is None
    assert source.rows == 3


def test_numbers_are_compared_as_numbers(tmp_path: Path) -> None:
    (source,) = intake_of(
        write_parquet(tmp_path / "a.parquet", [decision(1, input_tokens=9)]),
        write_parquet(tmp_path / "b.parquet", [decision(2, input_tokens=10)]),
    ).sources
    assert float(source.facts["input_tokens"].high or 0) == 10


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_one_bad_value_in_one_file_is_found(tmp_path: Path, value: float) -> None:
    write_parquet(tmp_path / "a.parquet", [decision(1)])
    write_parquet(tmp_path / "b.parquet", [decision(2, cost_usd=value)])
    coverage = read(tmp_path).coverage
    assert sum(coverage.reasons.values()) == 1


def test_files_of_another_shape_are_a_source_of_their_own(tmp_path: Path) -> None:
    one = write_parquet(tmp_path / "a.parquet", [decision(1)])
    row = decision(2)
    del row["cost_usd"]
    assert len(intake_of(one, write_parquet(tmp_path / "b.parquet", [row])).sources) == 2
