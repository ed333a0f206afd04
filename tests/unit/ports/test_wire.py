from undertow.ports.wire import WireError


def test_a_request_that_breaks_the_format_is_the_callers_mistake_unless_said_otherwise():
    error = WireError("messages: expected a list, not a string", param="messages", code="wrong_type")
    assert (error.status, error.param, error.code) == (400, "messages", "wrong_type")
    assert str(error) == error.message == "messages: expected a list, not a string"
    assert WireError("too long", status=413).status == 413
