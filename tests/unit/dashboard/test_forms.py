"""Forms: only with the token of their sender's session, and within bounds."""

from undertow.dashboard.forms import MAX_FORM_BYTES
from unit.dashboard.conftest import made_ui


def test_a_form_without_the_token_of_its_session_is_refused(client, tmp_path):
    mine = client(made_ui(store=tmp_path))
    assert mine.post("/ui/review/undo", csrf="another").status == 403
    assert mine.post("/ui/review/undo", csrf="").status == 403
    assert mine.ask("POST", "/ui/review/undo", b"", {"sec-fetch-site": "same-origin"}).status == 403


def test_a_form_that_is_too_large_or_none_is_refused(client):
    assert client().post("/ui/review/undo", {"why": "x" * MAX_FORM_BYTES}).status == 413
    assert client().ask("POST", "/ui/review/undo", b"\xff\xfe", {"sec-fetch-site": "same-origin"}).status == 400


def test_the_token_may_come_as_a_header(client):
    answer = client().post("/ui/review/undo", csrf="", x_csrf="token-of-the-session")
    assert answer.status in {400, 403}, "an empty field is one, and the wrong one"
