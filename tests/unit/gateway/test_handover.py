import os
import signal
import subprocess
import sys

import msgspec
import pytest

from undertow.gateway.handover import (
    HANDOVER,
    REHEARSAL,
    HandedWorker,
    Handover,
    become,
    own_command,
    rehearse,
    take_handover,
    take_rehearsal,
)


def handed(descriptor):
    worker = HandedWorker(pid=1, number=0, generation=1, control_fd=descriptor, state="ready")
    return Handover(listen_fd=descriptor, runtime_dir="/r", generation=1, workers=(worker,), keeper_pid=None)


def test_the_next_version_reads_what_the_last_one_left_and_nobody_after_it(monkeypatch):
    monkeypatch.setenv(HANDOVER, msgspec.json.encode(handed(9)).decode())
    monkeypatch.setenv(REHEARSAL, "1")
    assert take_handover() == handed(9)
    assert take_rehearsal()
    assert take_handover() is None
    assert not take_rehearsal()


def test_a_rehearsal_tells_why_a_version_cannot_start():
    assert rehearse([sys.executable, "-c", f"import os, sys; sys.exit(os.environ[{REHEARSAL!r}] != '1')"]) is None
    assert rehearse([sys.executable, "-c", "import sys; sys.exit('first\\nlast\\n')"]) == "last"
    assert rehearse([sys.executable, "-c", "import sys; sys.exit(5)"]) == "exit status 5"
    assert rehearse(["/no/such/program"]) == "FileNotFoundError"


def test_what_cannot_be_run_leaves_this_program_as_it_was():
    readable, writable = os.pipe()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with pytest.raises(FileNotFoundError):
        become(["/no/such/program"], handed(readable))
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    assert not os.get_inheritable(readable)
    os.close(readable)
    os.close(writable)


NEXT = """
import os, signal, sys
from undertow.gateway.handover import take_handover
left = take_handover()
os.fstat(left.listen_fd)
sys.exit(3 if signal.SIGHUP in signal.pthread_sigmask(signal.SIG_BLOCK, ()) else 1)
"""
LAST = """
import os, sys
from undertow.gateway.handover import HandedWorker, Handover, become
one, other = os.pipe()
worker = HandedWorker(pid=1, number=0, generation=1, control_fd=other, state="ready")
left = Handover(listen_fd=one, runtime_dir="/r", generation=1, workers=(worker,), keeper_pid=None)
become([sys.executable, "-c", sys.argv[1]], left)
"""


def test_the_next_version_has_the_descriptors_and_the_signals_wait():
    assert subprocess.run([sys.executable, "-c", LAST, NEXT], check=False, timeout=20).returncode == 3


def test_our_own_command_line_is_that_of_this_process():
    assert own_command()[0] == sys.executable
    assert own_command()[1:] == sys.orig_argv[1:]
