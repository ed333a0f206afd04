import msgspec

from undertow.records.alert import Delivery, Episode, Episodes, Message, Silence

AT = "2026-03-01T00:00:00.000Z"


def test_what_people_are_told_survives_a_file():
    message = Message(id="m", kind="alarm", severity="critical", at=AT, title="t", facts=(("since", "1 March"),))
    for value in (
        Delivery(message=message, channel="slack", due_at=AT),
        Episodes(
            at=AT, episodes=(Episode(id="e", policy="auto", tier="cheap", segment="", cause="routing", detected_at=AT),)
        ),
        Silence(id="s", until=AT, who="me", kinds=("alarm",)),
    ):
        assert msgspec.json.decode(msgspec.json.encode(value), type=type(value)) == value
