from undertow.dashboard import attempts as module
from undertow.dashboard.attempts import Attempts


def test_after_some_failures_an_address_has_to_wait_and_others_need_not():
    attempts = Attempts(most=3, window_s=60.0)
    for second in (0.0, 10.0, 20.0):
        assert attempts.wait_s("a", second) == 0.0
        attempts.failed("a", second)
    assert attempts.wait_s("a", 21.0) == 39.0
    assert attempts.wait_s("b", 21.0) == 0.0
    assert attempts.wait_s("a", 60.0) == 0.0
    attempts.failed("a", 60.0)
    assert attempts.wait_s("a", 61.0) == 9.0, "three within a minute again"


def test_many_addresses_together_have_to_wait_too():
    attempts = Attempts(most=3, window_s=60.0, most_in_all=5)
    for number in range(5):
        attempts.failed(f"10.0.0.{number}", 0.0)
    assert attempts.wait_s("somebody else", 1.0) == 59.0


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "MOST_ADDRESSES", 10)
    attempts = Attempts(most=1)
    for number in range(100):
        attempts.failed(str(number), float(number))
    assert len(attempts._by_address) == 10
    assert attempts.wait_s("99", 99.0) > 0
