"""A check on a terminal and as JSON."""

import json

from gate_factory import nothing, report
from undertow.records.gate import Difference
from undertow.reports.gate import gate_document, gate_lines

HOSTILE = "intent=\x1b[31mpay\u202eme|`x`"


def test_the_verdict_is_the_first_line():
    assert gate_lines(report(0.3))[0].startswith("Fails: ")
    assert gate_lines(nothing())[0].startswith("Passes: ")


def test_every_place_and_difference_is_there():
    text = "\n".join(gate_lines(report(0.3)))
    for said in ("policy.threshold: 0.8 -> 0.6", "intent=billing", "LOSS", "saves     +$120 a month", "shadow pairs"):
        assert said in text


def test_names_from_a_log_do_not_act():
    text = "\n".join(
        gate_lines(report(0.3, segment=HOSTILE, differences=(Difference("policy.x", "\x1b[2J", "b", "routing"),)))
    )
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_the_document_is_json_without_odd_numbers():
    document = json.loads(json.dumps(gate_document(report(0.3)), allow_nan=False))
    assert document["schema"] == "undertow.check/1"
    assert document["verdict"] == "loss"
    assert document["places"][0]["segment"] == {}
    assert document["places"][1]["segment"] == {"intent": "billing"}
