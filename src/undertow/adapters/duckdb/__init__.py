"""Reads canonical logs through an in-process DuckDB."""

from undertow.adapters.duckdb.inputs import LogInputs
from undertow.adapters.duckdb.source import DuckDbAuditSource

__all__ = ["DuckDbAuditSource", "LogInputs"]
