"""A plan as JSON (`undertow.plan-power/1`)."""

from dataclasses import asdict
from typing import Any

from undertow.records.power import PowerReport
from undertow.reports.plan_terminal import delay_document, headline

SCHEMA = "undertow.plan-power/1"


def plan_document(report: PowerReport) -> dict[str, Any]:
    """The document, as built-in values; absent is null."""
    return {
        "schema": SCHEMA,
        "headline": headline(report) + ".",
        "design": asdict(report.design),
        "assumptions": [asdict(each) for each in report.assumptions],
        "delays": [delay_document(each) for each in report.delays],
        "reference": {"now": delay_document(report.now)},
        "options": [
            {"what": each.what, "costs": each.costs or None, "delay": delay_document(each.delay)}
            for each in report.options
        ],
        "unseen": list(report.unseen),
    }
