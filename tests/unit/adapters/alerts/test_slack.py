import asyncio

import msgspec

from alert_servers import OK, hook
from undertow.adapters.alerts.http import Caller
from undertow.adapters.alerts.slack import LONGEST_SECTION, SlackChannel, slack_document
from undertow.records.alert import Message


def message(**given):
    return Message(**{"id": "1", "kind": "alarm", "severity": "critical", "at": "", "title": "Loss", **given})


def test_it_is_posted_as_blocks_with_the_same_as_text():
    with hook(OK) as receiver:
        channel = SlackChannel(Caller(allow_internal=True), receiver.url)
        told = message(facts=(("where", "tier cheap"),), link="https://u.example/ui")
        assert asyncio.run(channel.send(told)).outcome == "delivered"
        assert asyncio.run(channel.hold((told,))) is None
    document = receiver.documents[0]
    assert [block["type"] for block in document["blocks"]] == ["header", "section", "context"]
    assert document["text"] == ":red_circle: Loss\n*where*: tier cheap\n<https://u.example/ui|Look further>"


def test_nobody_can_be_called_or_linked_to_by_what_stands_in_a_log():
    evil = "<!channel> <https://evil.example|click> & <@U1>"
    document = slack_document(message(title=evil, facts=(("where", evil),)))
    assert "<" not in document["text"]
    assert "<" not in document["blocks"][1]["text"]["text"]
    assert document["blocks"][0]["text"]["type"] == "plain_text"


def test_what_slack_would_refuse_for_its_length_is_cut_and_no_escape_is_halved():
    facts = tuple((str(number), "&" * 200) for number in range(40))
    document = slack_document(message(title="t" * 500, facts=facts))
    assert len(document["blocks"][0]["text"]["text"]) <= 150
    text = document["blocks"][1]["text"]["text"]
    assert len(text) <= LONGEST_SECTION
    assert text.removesuffix("…").endswith(("&amp;", ": ", "*", "0"))


def test_the_end_is_green():
    assert slack_document(message(resolves=True))["text"].startswith(":large_green_circle:")


def test_it_is_json_that_can_be_sent():
    assert msgspec.json.encode(slack_document(message()))
