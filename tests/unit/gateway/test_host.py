from datetime import UTC, datetime

from gateway_stub.plans import plan
from undertow.gateway.host import Compiled, Host


def test_a_host_needs_no_more_than_settings_and_somebody_to_talk_to():
    said = []
    host = Host(compile=lambda: Compiled(plan()), say=said.append)
    host.on_ready()
    assert host.today() == datetime.now(UTC).date()
    assert (host.compile().workers, said) == (1, [])
    assert host.worker_command[1:] == ("-P", "-m", "undertow.gateway.worker")
