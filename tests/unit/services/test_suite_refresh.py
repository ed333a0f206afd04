import json

import pytest

from undertow.errors import DataError
from undertow.records.suite import Check, LiveText, Suite, SuiteCase
from undertow.services.suite_refresh import asked, refresh
from undertow.suites.cases import read_suite
from undertow.suites.coverage import word_vectors


def suite(*prompts):
    cases = [
        SuiteCase(case_id=f"live-{i + 1}", messages=({"role": "user", "content": text},), check=Check(kind="judge"))
        for i, text in enumerate(prompts)
    ]
    return Suite(name="s", cases=tuple(cases), digest="")


def live(text, traffic=1.0, **segment):
    return LiveText(text=text, segment=segment, traffic=traffic, at="2026-03-01T12:00:00.000Z")


LIVE = [
    live("where is my order", 10.0, intent="order"),
    live("where is my order now", 5.0, intent="order"),
    live("how do I cancel my flight", 4.0, intent="flight"),
    live("how can I cancel a flight", 4.0, intent="flight"),
]


def test_what_the_suite_lacks_is_proposed_for_a_person_to_finish():
    found = refresh(suite("where is my order"), LIVE, word_vectors, count=5, near=0.3)
    (line,) = found.proposals
    row = json.loads(line)
    assert row["prompt"] in {"how do I cancel my flight", "how can I cancel a flight"}
    assert (row["id"], row["segment"], row["expected"], row["tags"]) == (
        "live-2",
        {"intent": "flight"},
        "",
        ["proposed"],
    )
    assert (round(found.before, 2), round(found.after, 2), found.requests) == (0.65, 1.0, 23.0)
    with pytest.raises(DataError, match="expected: empty; fill it in"):
        read_suite("s", line, schema_is_usable=lambda _: True, pattern_is_usable=lambda _: True)


def test_a_suite_that_covers_everything_gets_no_proposals():
    found = refresh(suite(*(one.text for one in LIVE)), LIVE, word_vectors, count=5, near=0.6)
    assert (found.proposals, found.before) == ((), 1.0)


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        (({"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}), "a"),
        (({"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}]},), "a"),
        (({"role": "system", "content": "a"},), ""),
        (({"role": "user", "content": None},), ""),
    ],
)
def test_a_case_asks_its_last_user_message(messages, text):
    assert asked(SuiteCase(case_id="a", messages=messages, check=Check(kind="judge"))) == text
