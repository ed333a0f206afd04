from undertow.adapters.importers.fields import Fields
from undertow.adapters.importers.importer import Reading
from undertow.adapters.importers.rows import Rejected


def test_a_required_time_or_the_rejection_of_the_record():
    reading = Reading(Fields())
    assert reading.moment(None) == Rejected("missing_time")
    assert reading.moment("2026-08-01 12:00:00") == Rejected("naive_time")
    assert reading.moment(5, unit="s") == Rejected("bad_time")


def test_remarks_are_counted():
    reading = Reading(Fields())
    for _ in range(3):
        reading.remark("{n} things")
    assert reading.remarks == {"{n} things": 3}
