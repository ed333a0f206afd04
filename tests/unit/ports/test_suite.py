from undertow.ports.suite import TargetAnswer


def test_an_answer_never_shows_its_text_in_a_log():
    assert "secret" not in repr(TargetAnswer(status="ok", text="secret"))
