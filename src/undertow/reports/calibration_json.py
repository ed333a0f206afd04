"""A calibration as JSON (`undertow.calibrate/1`): what the artefact holds, for programs, and what it means for all requests together."""

from typing import Any

import msgspec

from undertow.records.calibration_report import CalibrationReport
from undertow.reports import calibration_words as words

SCHEMA = "undertow.calibrate/1"


def calibration_document(report: CalibrationReport) -> dict[str, Any]:
    """The document, as built-in values; absent is null.

    The artefact's map of seen words is left out: it is 5 kB that nobody reads.
    """
    made = msgspec.to_builtins(report.calibration)
    del made["schema"]
    made["distribution"].pop("seen_words", None)
    return {
        "schema": SCHEMA,
        "verdict": "certified"
        if any(group.threshold is not None for group in report.calibration.groups)
        else "not_certified",
        "headline": words.headline(report),
        "acceptance": report.acceptance,
        "loss": report.loss,
        "savings": None if report.savings is None else msgspec.to_builtins(report.savings),
        **made,
        "warnings": list(words.hidden(report)),
        "missing": list(words.missing(report)),
        "bars": msgspec.to_builtins(report.bars),
        "unscored": report.unscored,
        "left_out": dict(report.left_out),
        "artefact": report.artefact,
        "sha256": report.sha256,
    }
