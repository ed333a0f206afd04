"""Canonical files: all columns with their types, and a folder that is only replaced when it is ours."""

import duckdb
import numpy as np
import pytest

from undertow.adapters.simulated.canonical import connect, listed, prepare_folder, quoted, write_decisions
from undertow.errors import UsageError
from undertow.records.columns import DECISION_COLUMNS


def test_a_file_has_every_canonical_column_with_its_type(tmp_path):
    path = tmp_path / "decisions" / "a.parquet"
    write_decisions(
        connect(), path, {"i": np.arange(3)}, {"decision_id": "'d' || i", "event_time": "TIMESTAMP '2026-01-05'"}
    )
    with duckdb.connect() as connection:
        columns = connection.execute("DESCRIBE SELECT * FROM read_parquet($p)", {"p": str(path)}).fetchall()
        rows = connection.execute("SELECT decision_id, tier FROM read_parquet($p)", {"p": str(path)}).fetchall()
    assert [name for name, *_ in columns] == [column.name for column in DECISION_COLUMNS]
    types = {name: kind for name, kind, *_ in columns}
    assert types["segment"] == "MAP(VARCHAR, VARCHAR)"
    assert types["event_time"] == "TIMESTAMP"
    assert rows == [("d0", None), ("d1", None), ("d2", None)]


def test_quotes_are_doubled():
    assert quoted("o'clock") == "'o''clock'"
    assert listed(("a", "b'c")) == "['a', 'b''c']"


def test_a_folder_with_files_is_kept_unless_told(tmp_path):
    (tmp_path / "decisions").mkdir()
    with pytest.raises(UsageError, match="--overwrite"):
        prepare_folder(tmp_path, overwrite=False)
    prepare_folder(tmp_path, overwrite=True)


def test_nothing_foreign_is_ever_deleted(tmp_path):
    (tmp_path / "thesis.doc").write_text("years of work")
    with pytest.raises(UsageError, match=r"thesis\.doc"):
        prepare_folder(tmp_path, overwrite=True)
    assert (tmp_path / "thesis.doc").exists()


def test_a_file_in_the_way_is_refused(tmp_path):
    path = tmp_path / "log"
    path.write_text("")
    with pytest.raises(UsageError, match="is a file"):
        prepare_folder(path, overwrite=True)


def test_old_days_do_not_survive_an_overwrite(tmp_path):
    old = tmp_path / "decisions" / "date=2020-01-01" / "live.parquet"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"old")
    prepare_folder(tmp_path, overwrite=True)
    assert not old.exists()
