"""A real gateway whose disk takes no more: it answers all the same, says so, and keeps what it can until there is room again."""

import json
import re
import resource
import time

from conftest import require
from gateway_fakes.raw import post
from gateway_fakes.upstream import FakeUpstream
from integration.gateway_process import running_gateway, settings_for

ROOM_BYTES = 64_000
ASK = {"model": "auto", "messages": [{"role": "user", "content": "hi"}], "metadata": {"note": "x" * 400}}


def metric(gateway, name):
    _, body = gateway.get("/metrics")
    return float(re.search(rf"^{name} (\S+)$", body.decode(), re.MULTILINE).group(1))


def limit_files_of(process, most_bytes):
    resource.prlimit(process, resource.RLIMIT_FSIZE, (most_bytes, resource.RLIM_INFINITY))


def test_a_full_disk_is_an_alarm_and_no_outage(tmp_path):
    require(hasattr(resource, "prlimit"), "a full disk is simulated with prlimit, which Linux has")
    with FakeUpstream() as upstream, running_gateway(tmp_path, settings_for(upstream.base_url)) as gateway:
        (worker,) = gateway.inner.children("undertow.gateway.worker")
        limit_files_of(worker, ROOM_BYTES)
        answered = [post(gateway.port, "/v1/chat/completions", ASK).status for _ in range(120)]
        assert set(answered) == {200}
        assert metric(gateway, "undertow_log_writable") == 0
        assert metric(gateway, "undertow_log_waiting_records") > 0
        status, ready = gateway.get("/readyz")
        assert (status, json.loads(ready)["status"]) == (200, "log_degraded")
        # There is room again: what waited is written, and nothing was lost.
        limit_files_of(worker, resource.RLIM_INFINITY)
        until = time.monotonic() + 10
        while len(gateway.records()) < len(answered) and time.monotonic() < until:
            time.sleep(0.1)
        assert len(gateway.records()) == len(answered)
        assert metric(gateway, "undertow_log_writable") == 1
        assert metric(gateway, "undertow_log_lost_records_total") == 0
