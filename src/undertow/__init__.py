"""Undertow: an LLM routing layer that cannot quietly break the product behind it.

    import undertow

    report = undertow.run_audit(undertow.AuditRequest(("undertow-data/",)))
    print(report.verdict, report.ledger.net_usd_month)

The public API is loaded when it is first touched: `import undertow` itself reads no file, opens no socket and imports
neither NumPy nor DuckDB, since it stands in the path of requests.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from undertow.bootstrap.audit import AuditRequest, run_audit
    from undertow.errors import UndertowError
    from undertow.records.report import AuditReport

__version__ = "0.1.0"

__all__ = ["AuditReport", "AuditRequest", "UndertowError", "__version__", "run_audit"]

_HOMES = {
    "AuditReport": "undertow.records.report",
    "AuditRequest": "undertow.bootstrap.audit",
    "run_audit": "undertow.bootstrap.audit",
    "UndertowError": "undertow.errors",
}


def __getattr__(name: str) -> Any:
    """Import a public name from the module it lives in."""
    if name not in _HOMES:
        raise AttributeError(f"module 'undertow' has no attribute {name!r}; public names: {', '.join(__all__)}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
