"""A worker process with a tiny application, told what the supervisor would tell it. tests/integration has the real ones."""

import socket
import sys
import time
from pathlib import Path

import pytest

from gateway_fakes.raw import RawConnection, get, request_bytes
from gateway_stub.plans import plan
from undertow.gateway.children import kill, reap, start_worker
from undertow.gateway.runtime import Runtime
from undertow.records.serving import encode_plan

STUB = (sys.executable, str(Path(__file__).parents[2] / "gateway_stub" / "stub_worker.py"))


@pytest.fixture
def started(tmp_path):
    """A ready worker and its port."""
    (tmp_path / "plan.json").write_bytes(encode_plan(plan(idle_timeout_s=1.0)))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.set_inheritable(True)
        place = Runtime.within(str(tmp_path), str(tmp_path / "plan.json"), worker_number=0, workers=1, generation=1)
        worker = start_worker(place, listen_fd=listener.fileno(), drain_timeout_s=5, now=0.0, command=STUB)
        port = listener.getsockname()[1]
        worker.control.settimeout(20)
        assert worker.hear()
    yield worker, port
    kill(worker.pid, 9)
    reap()
    worker.control.close()


def wait_for_end(worker):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        for pid, status in reap():
            if pid == worker.pid:
                return status
        time.sleep(0.01)
    raise AssertionError("it did not end")


def test_a_retiring_worker_answers_on_the_connections_it_has_and_then_ends(started):
    worker, port = started
    with RawConnection(port) as used, RawConnection(port) as unused:
        for connection in (used, unused):
            connection.send(request_bytes("/", method="GET"))
            assert connection.read_answer().body == b"draining: False"
        worker.retire()
        time.sleep(0.2)
        with pytest.raises(ConnectionError):
            get(port, "/")
        used.send(request_bytes("/", method="GET"))
        answer = used.read_answer()
        assert (answer.body, answer.headers["connection"]) == (b"draining: True", "close")
        assert unused.read_all() == b""
    assert wait_for_end(worker) == 0


def test_a_stopping_worker_finishes_what_is_under_way_even_if_it_was_retiring(started):
    worker, port = started
    with RawConnection(port) as slow, RawConnection(port) as idle:
        slow.send(request_bytes("/slow", method="GET"))
        idle.send(request_bytes("/", method="GET"))
        assert idle.read_answer().status == 200
        worker.retire()
        worker.stop()
        assert idle.read_all() == b""
        assert slow.read_answer().status == 200
    assert wait_for_end(worker) == 0


def test_a_worker_ends_with_its_supervisor(started):
    worker, _ = started
    worker.control.shutdown(socket.SHUT_RDWR)
    assert wait_for_end(worker) == 0


@pytest.mark.parametrize(("number", "status"), [(15, 0), (9, -9)])
def test_signals_end_it_as_one_expects(started, number, status):
    worker, port = started
    kill(worker.pid, 2)
    kill(worker.pid, 1)
    assert get(port, "/").status == 200
    kill(worker.pid, number)
    assert wait_for_end(worker) == status
