from undertow.records.suite import LiveText


def test_a_live_text_never_shows_itself_in_a_log():
    assert "secret" not in repr(LiveText(text="secret", segment={}, traffic=1.0, at=""))
