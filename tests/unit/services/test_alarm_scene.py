"""What is known at a time."""

from alarm_logs import BAD, PRE, heard, log
from cells_factory import build, day
from undertow.records.label_grid import signal_units


def test_labels_by_decision_as_known_before_a_bucket():
    scene, _ = heard(build(*log(delay=6)))
    (unit,) = signal_units(scene.cells)
    then, now = (scene.labels(unit, 0, known).n[:, 0].sum((1, 2, 3)) for known in (BAD, None))
    assert then[BAD - 7] == now[BAD - 7] > 0
    assert then[BAD - 6] == 0.0 < now[BAD - 6]


def test_buckets_are_times_from_the_logs_first():
    scene, _ = heard(build(*log()))
    assert scene.at(PRE) == day(PRE)
    assert scene.traffic(0).decisions.shape[0] == scene.buckets
