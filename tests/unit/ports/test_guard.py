from undertow.ports.guard import GuardBook


def test_a_guard_reads_writes_and_locks():
    assert {"locked", "controls", "trail", "memory", "write", "versions"} <= set(vars(GuardBook))
