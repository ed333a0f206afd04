"""What was kept of a request becomes what its classifier was asked about."""

import pytest

from undertow.adapters.training.kept_text import asked_text


@pytest.mark.parametrize(
    ("kept", "text"),
    [
        ('[{"role":"user","content":"one"},{"role":"assistant","content":"a"},{"role":"user","content":"two"}]', "two"),
        (
            '[{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"x"}}]}]',
            "see",
        ),
        ('[{"role":"user","content":[{"type":"input_text","text":"responses"}]}]', "responses"),
        ('[{"role":"system","content":"only"}]', ""),
        ('"a \\"string\\" input"', 'a "string" input'),
        ("plain [text]", "plain [text]"),
        ("[redacted]", "[redacted]"),
        ('"unfinished', '"unfinished'),
        ("[1, 2]", "[1, 2]"),
        ("[\ud800", "[\ud800"),
        ("", ""),
    ],
)
def test_asked_text(kept, text):
    assert asked_text(kept) == text


def test_it_is_what_the_gateway_asks_the_classifier_about():
    from undertow.adapters.wire.chat import ChatDialect

    messages = '[{"role":"user","content":[{"type":"text","text":"Where is"},{"type":"text","text":"my card?"}]}]'
    body = ('{"model":"auto","messages":' + messages + "}").encode()
    assert asked_text(messages) == ChatDialect().read_request(body, max_nesting=100).facts.text
