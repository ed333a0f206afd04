from undertow.ports.judge import JudgePrompt, JudgeReply


def test_neither_question_nor_words_show_their_text_when_they_are_printed():
    prompt = JudgePrompt(
        system="secret", user="secret", rubric="secret", request="secret", answers=("secret", "secret")
    )
    assert repr(prompt) == "JudgePrompt(2 answers)"
    assert "secret" not in repr(JudgeReply(status="ok", text="secret"))
