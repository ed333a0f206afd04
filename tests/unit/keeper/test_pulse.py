import msgspec

from undertow.keeper.pulse import Pulse
from undertow.records.runtime_files import HEARTBEAT, Heartbeat


def beat(folder):
    return msgspec.json.decode((folder / HEARTBEAT).read_bytes(), type=Heartbeat)


def test_the_file_says_how_each_job_fares_and_what_was_counted(tmp_path):
    now = 100.0
    pulse = Pulse(tmp_path, lambda: now)
    pulse.begin("recovery")
    pulse.beat()
    assert beat(tmp_path).jobs["recovery"].running_since == 100.0
    now = 101.0
    pulse.succeed("recovery", {"orphans": 2})
    pulse.begin("recovery")
    pulse.fail("recovery")
    pulse.succeed("compaction", {"orphans": 1, "rows_converted": 5})
    pulse.beat()
    shown = beat(tmp_path)
    recovery = shown.jobs["recovery"]
    assert (recovery.runs, recovery.failures, recovery.last_success_at, recovery.running_since) == (1, 1, 101.0, None)
    assert shown.counts == {"orphans": 3, "rows_converted": 5}
    assert shown.at == 101.0


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path):
    Pulse(tmp_path / "gone").beat()
    Pulse(None).beat()
    assert list(tmp_path.iterdir()) == []
