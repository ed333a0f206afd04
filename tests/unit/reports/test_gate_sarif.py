"""A check as SARIF: by the parts of the standard's schema that a forge relies on."""

import jsonschema
import pytest

from gate_factory import nothing, report
from undertow.records.gate import Difference, SuiteCheck
from undertow.reports.gate_sarif import gate_sarif

TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "additionalProperties": False,
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "additionalProperties": False,
                                "properties": {
                                    "name": {"type": "string"},
                                    "version": {"type": "string"},
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id"],
                                            "additionalProperties": False,
                                            "properties": {
                                                "id": {"type": "string"},
                                                "name": {"type": "string"},
                                                "shortDescription": TEXT,
                                                "defaultConfiguration": {"properties": {"level": LEVEL}},
                                            },
                                        },
                                    },
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message", "ruleId", "locations"],
                            "additionalProperties": False,
                            "properties": {
                                "ruleId": {"enum": ["loss", "coverage-hole"]},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "level": LEVEL,
                                "message": TEXT,
                                "partialFingerprints": {"additionalProperties": {"type": "string"}},
                                "locations": {
                                    "minItems": 1,
                                    "items": {
                                        "properties": {
                                            "physicalLocation": {
                                                "required": ["artifactLocation"],
                                                "properties": {
                                                    "artifactLocation": {
                                                        "properties": {"uri": {"pattern": r"^[^\\ ]+$"}}
                                                    },
                                                    "region": {
                                                        "properties": {"startLine": {"type": "integer", "minimum": 1}}
                                                    },
                                                },
                                            }
                                        }
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


def results(made, uri="conf/undertow.toml"):
    document = gate_sarif(made, uri)
    jsonschema.validate(document, SARIF)
    [run] = document["runs"]
    ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert all(ids[one["ruleIndex"]] == one["ruleId"] for one in run["results"])
    return run["results"]


def test_a_loss_points_at_the_line_that_differs():
    found = results(report(0.3))
    assert [one["ruleId"] for one in found] == ["loss", "loss"]
    assert found[0]["level"] == "error"
    location = found[0]["locations"][0]["physicalLocation"]
    assert location == {"artifactLocation": {"uri": "conf/undertow.toml"}, "region": {"startLine": 7}}
    assert len({one["partialFingerprints"]["undertow/v1"] for one in found}) == 2


@pytest.mark.parametrize(
    ("made", "rules"),
    [
        (report(0.0), []),
        (nothing(), []),
        (report(0.0, n=40), ["coverage-hole", "coverage-hole"]),
        (report(0.0, suite=SuiteCheck("s", "loss", 3, "r", "why")), ["loss"]),
    ],
)
def test_results_by_verdict(made, rules):
    assert [one["ruleId"] for one in results(made)] == rules


def test_another_model_is_a_hole_at_its_line():
    model = Difference("tiers.cheap.model", "a", "b", "answers", "why", 3)
    [found] = results(report(0.0, differences=(model,)))
    assert found["ruleId"] == "coverage-hole"
    assert found["locations"][0]["physicalLocation"]["region"]["startLine"] == 3


def test_a_path_with_blanks_is_a_uri():
    assert (
        results(report(0.3), "my conf\\a b.toml")[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        == "my%20conf/a%20b.toml"
    )
