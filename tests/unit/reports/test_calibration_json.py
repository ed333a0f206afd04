"""A calibration for programs."""

import json

import pytest

from undertow.reports.calibration_json import SCHEMA, calibration_document
from unit.reports.calibration_factory import EVERY, hopeless, single


@pytest.mark.parametrize("name", EVERY)
def test_it_is_json_without_nan(name):
    document = json.loads(json.dumps(calibration_document(EVERY[name]()), allow_nan=False))
    assert document["schema"] == SCHEMA == "undertow.calibrate/1"
    assert {
        "headline",
        "verdict",
        "groups",
        "acceptance",
        "savings",
        "left_out",
        "artefact",
        "missing",
        "warnings",
    } <= document.keys()
    assert "seen_words" not in document["distribution"]


def test_the_verdict_is_one_of_two_words():
    assert calibration_document(single())["verdict"] == "certified"
    assert calibration_document(hopeless())["verdict"] == "not_certified"
    assert calibration_document(hopeless())["groups"][0]["threshold"] is None
    assert calibration_document(single())["sha256"] == "ab" * 32
