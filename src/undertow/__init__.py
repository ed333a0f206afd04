"""Undertow: an LLM routing layer that cannot quietly break the product behind it.

    import undertow

    client = undertow.Client("undertow.toml")        # or AsyncClient: the gateway's policies and records in this process
    client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "Where is my order?"}])

    report = undertow.run_audit(undertow.AuditRequest(("undertow-data/",)))
    print(report.verdict, report.ledger.net_usd_month)

The public API is loaded when it is first touched: `import undertow` itself reads no file, opens no socket and imports
neither NumPy nor DuckDB, since it stands in the path of requests.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from undertow.bootstrap.audit import AuditRequest, run_audit
    from undertow.client.answer import AnswerError
    from undertow.client.blocking import Client
    from undertow.client.in_process import AsyncClient
    from undertow.errors import UndertowError
    from undertow.records.report import AuditReport

__version__ = "0.1.0"

__all__ = [
    "AnswerError",
    "AsyncClient",
    "AuditReport",
    "AuditRequest",
    "Client",
    "UndertowError",
    "__version__",
    "run_audit",
]

_HOMES = {
    "AnswerError": "undertow.client.answer",
    "AsyncClient": "undertow.client.in_process",
    "AuditReport": "undertow.records.report",
    "AuditRequest": "undertow.bootstrap.audit",
    "Client": "undertow.client.blocking",
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
