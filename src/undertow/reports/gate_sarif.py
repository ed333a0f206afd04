"""A check of a candidate as SARIF 2.1.0: results that a forge shows beside the line of the candidate's file that they are about.

References:
    OASIS (2020), Static Analysis Results Interchange Format (SARIF) Version 2.1.0.
"""

import hashlib
from typing import Any
from urllib.parse import quote

import undertow
from undertow.records.gate import Difference, GateReport
from undertow.reports import figures
from undertow.reports.names import prose, segment_name

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
RULES = {
    "loss": ("Shown loss", "The candidate is shown to lose more than is accepted.", "error"),
    "coverage-hole": ("Coverage hole", "Too little is known of the candidate to let it pass.", "warning"),
}
IDS = {"loss": "loss", "hole": "coverage-hole"}


def gate_sarif(report: GateReport, uri: str) -> dict[str, Any]:
    """The document, as built-in values.

    Args:
        report: The check.
        uri: Path of the candidate's file, relative to the repository's root where it can be.
    """
    names = list(RULES)
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "undertow check",
                        "version": undertow.__version__,
                        "rules": [
                            {
                                "id": rule,
                                "name": title.replace(" ", ""),
                                "shortDescription": {"text": text},
                                "defaultConfiguration": {"level": level},
                            }
                            for rule, (title, text, level) in RULES.items()
                        ],
                    }
                },
                "results": [
                    _result(rule, names.index(rule), place, text, _line(report, rule), uri)
                    for rule, place, text in _findings(report)
                ],
                "columnKind": "utf16CodeUnits",
            }
        ],
    }


def _findings(report: GateReport) -> list[tuple[str, str, str]]:
    """Rule, place and sentence of each result."""
    found = []
    for place in report.places:
        if place.is_watched and place.state in IDS:
            name = f"{place.tier} in {segment_name(place.segment, 80)}"
            text = (
                f"{name}: {place.why}; added loss {figures.points(place.loss)} ({figures.points_interval(place.interval)}), must be below "
                f"{figures.points(place.bar)}, {figures.plural(place.labels, 'label')}"
            )
            found.append((IDS[place.state], name, text))
    if report.suite is not None and report.suite.state in IDS:
        found.append(
            (IDS[report.suite.state], f"suite {report.suite.suite}", f"suite {report.suite.suite}: {report.suite.why}")
        )
    if not found and report.verdict in IDS:
        found.append((IDS[report.verdict], "candidate", report.headline))
    return found


def _line(report: GateReport, rule: str) -> int:
    """Where the first difference that may be to blame stands."""
    kinds = ("routing", "answers", "unseen") if rule == "loss" else ("answers", "unseen", "routing")
    known: list[Difference] = [one for one in report.differences if one.line is not None and one.kind in kinds]
    known.sort(key=lambda one: kinds.index(one.kind))
    return known[0].line or 1 if known else 1


def _result(rule: str, index: int, place: str, text: str, line: int, uri: str) -> dict[str, Any]:
    return {
        "ruleId": rule,
        "ruleIndex": index,
        "level": RULES[rule][2],
        "message": {"text": prose(text, 600)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(uri.replace("\\", "/"))},
                    "region": {"startLine": line},
                }
            }
        ],
        "partialFingerprints": {
            "undertow/v1": hashlib.sha256(f"{rule}|{place}".encode("utf-8", "replace")).hexdigest()[:32]
        },
    }
