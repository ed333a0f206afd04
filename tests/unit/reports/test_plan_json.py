"""See test_plan_terminal, which reads both faces of one report."""

import json

from undertow.records.power import Delay
from undertow.reports.plan_json import plan_document
from unit.reports.test_plan_terminal import DESIGN, LOSS, report


def test_the_document_is_json_and_holds_the_design():
    document = json.loads(json.dumps(plan_document(report(Delay(LOSS, 4, None, 0.8, 50))), allow_nan=False))
    assert document["design"]["tail_share"] == DESIGN.tail_share
    assert document["reference"]["now"] == {
        "loss": 0.3, "slice_share": 0.1, "labelled": True, "median_days": 4, "p90_days": None, "seen_share": 0.8, "runs": 50,
    }  # fmt: skip
