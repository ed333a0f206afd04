"""The engine is bounded and stays at home."""

from pathlib import Path

import duckdb
import pytest

from undertow.adapters.duckdb.connection import open_engine


def test_limits_and_no_extension_from_outside(tmp_path: Path) -> None:
    engine = open_engine("300MB", 1, tmp_path / "it's here")
    setting = {name: engine.execute("SELECT current_setting(?)", [name]).fetchone() for name in (
        "threads", "autoinstall_known_extensions", "autoload_known_extensions", "TimeZone", "temp_directory",
    )}  # fmt: skip
    assert setting["threads"] == (1,)
    assert setting["autoinstall_known_extensions"] == (False,)
    assert setting["autoload_known_extensions"] == (False,)
    assert setting["TimeZone"] == ("UTC",)
    assert setting["temp_directory"] == (str(tmp_path / "it's here"),)
    with pytest.raises(duckdb.Error):
        engine.execute("SELECT * FROM read_parquet('https://192.0.2.1/x.parquet')")
