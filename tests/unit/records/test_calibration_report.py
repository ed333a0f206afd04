"""The report of a calibration is a plain value."""

import msgspec

from undertow.records.calibration_report import CalibrationReport
from unit.reports.calibration_factory import grouped


def test_it_survives_json():
    report = grouped()
    again = msgspec.json.decode(msgspec.json.encode(report), type=CalibrationReport)
    assert again == report
