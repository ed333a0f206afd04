import json

import pytest

from undertow.errors import DataError
from undertow.suites import cases
from undertow.suites.cases import read_suite


def read(*rows, usable=True):
    content = b"\n".join(row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows)
    return read_suite("s", content, schema_is_usable=lambda _: usable, pattern_is_usable=lambda _: usable)


GOOD = {"id": "a", "prompt": "2 + 2?", "expected": "4"}


def test_a_short_case_is_an_exact_check_of_one_user_message():
    suite = read({**GOOD, "segment": {"topic": "sums"}, "weight": 2, "tags": ["easy"]})
    (case,) = suite.cases
    assert case.messages == ({"role": "user", "content": "2 + 2?"},)
    assert (case.check.kind, case.check.expected, case.check.normalise) == ("exact", ("4",), "text")
    assert (case.segment, case.weight, case.tags) == ({"topic": "sums"}, 2.0, ("easy",))


def test_every_kind_of_check_is_read():
    suite = read(
        {"id": "1", "prompt": "p", "check": {"kind": "exact", "expected": ["4", "four"], "normalise": "number"}},
        {"id": "2", "prompt": "p", "check": {"kind": "regex", "pattern": "4"}},
        {"id": "3", "prompt": "p", "check": {"kind": "json_schema", "schema": {"type": "object"}}},
        {"id": "4", "prompt": "p", "check": {"kind": "function", "function": "pack.mod:check"}},
        {"id": "5", "prompt": "p", "expected": "4", "check": {"kind": "judge", "rubric": "Is it right?"}},
        {
            "id": "6",
            "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}],
            "expected": "4",
        },
        {"id": "7", "prompt": "p", "expected": "4", "check": {"kind": "exact", "normalise": "none"}},
    )
    checks = [case.check for case in suite.cases]
    assert [check.kind for check in checks] == ["exact", "regex", "json_schema", "function", "judge", "exact", "exact"]
    assert checks[0].expected == ("4", "four")
    assert checks[2].schema == b'{"type":"object"}'
    assert (checks[4].rubric, checks[4].reference) == ("Is it right?", "4")
    assert len(suite.cases[5].messages) == 2


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (b"{", "this is no JSON"),
        (b"[1]", "expected a JSON object, got a list"),
        ({"prompt": "p", "expected": "4"}, "id: missing"),
        ({**GOOD, "id": 7}, "id: expected text, got a number"),
        ({**GOOD, "id": " "}, "id: empty"),
        ({**GOOD, "id": "x" * 201}, "id: expected at most 200 characters"),
        ({"id": "a", "expected": "4"}, "prompt: give either prompt or messages"),
        ({**GOOD, "messages": []}, "prompt: give either prompt or messages"),
        ({"id": "a", "messages": [], "expected": "4"}, "messages: expected a list with at least one message"),
        ({"id": "a", "messages": [{"content": "x"}], "expected": "4"}, "messages[0]: expected an object with a role"),
        ({"id": "a", "prompt": "p"}, "check: missing; give expected, or a check"),
        ({**GOOD, "expected": ""}, "expected: empty; fill it in or remove the case"),
        ({**GOOD, "expected": []}, "expected: expected one right answer or a list"),
        ({**GOOD, "expected": [4]}, "expected: expected text, got a number"),
        ({**GOOD, "weight": 0}, "weight: expected a number above 0"),
        ({**GOOD, "weight": True}, "weight: expected a number above 0"),
        ({**GOOD, "segment": {"a": 1}}, "segment: expected text, got a number"),
        ({**GOOD, "segment": []}, "segment: expected an object"),
        ({**GOOD, "tags": "x"}, "tags: expected at most 32 texts"),
        ({**GOOD, "wieght": 1}, "'wieght' is no field of a case; did you mean weight?"),
        ({**GOOD, "check": []}, "check: expected an object"),
        ({**GOOD, "check": {"kind": "regexp"}}, "did you mean regex?"),
        ({"id": "a", "prompt": "p", "check": {"kind": "regex"}}, "check.pattern: missing; a check of kind regex needs it"),
        ({"id": "a", "prompt": "p", "check": {"kind": "regex", "patern": "x"}}, "did you mean check.pattern?"),
        ({**GOOD, "check": {"kind": "regex", "pattern": "x"}}, "expected: a check of kind regex does not read it here"),
        ({"id": "a", "prompt": "p", "check": {"kind": "json_schema", "schema": 3}}, "check.schema: expected a JSON Schema"),
        ({"id": "a", "prompt": "p", "check": {"kind": "function", "function": "os.system"}}, "expected package.module:name"),
        ({"id": "a", "prompt": "p", "check": {"kind": "exact", "expected": "4", "normalise": "x"}}, "check.normalise: expected"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_line_and_field(row, said):
    with pytest.raises(DataError) as raised:
        read({**GOOD, "id": "first"}, row)
    assert str(raised.value).startswith("s line 2: ")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_id_that_comes_twice_names_both_lines():
    with pytest.raises(DataError, match="s line 3: id: the same as on line 1"):
        read(GOOD, b"", GOOD)


@pytest.mark.parametrize(
    "check", [{"kind": "regex", "pattern": "("}, {"kind": "json_schema", "schema": {"$ref": "http://x"}}]
)
def test_a_check_that_cannot_be_carried_out_safely_is_refused_when_it_is_read(check):
    with pytest.raises(DataError, match="not usable"):
        read({"id": "a", "prompt": "p", "check": check}, usable=False)


def test_an_empty_file_and_too_many_or_too_long_lines_are_refused(monkeypatch):
    with pytest.raises(DataError, match="no case in it"):
        read(b"", b" ")
    with pytest.raises(DataError, match="line 1: longer than"):
        read({**GOOD, "prompt": "x" * (cases.MAX_LINE_BYTES + 1)})
    monkeypatch.setattr(cases, "MAX_CASES", 2)
    with pytest.raises(DataError, match="s line 3: more than 2 cases"):
        read(*({**GOOD, "id": str(i)} for i in range(3)))


def test_messages_never_quote_a_prompt():
    prompt = "my card number is 4111"
    with pytest.raises(DataError) as raised:
        read({"id": "a", "prompt": [prompt], "expected": prompt})
    assert "4111" not in str(raised.value)


def test_a_case_that_was_edited_is_another_case_and_its_place_does_not_matter():
    other = {**GOOD, "id": "b"}
    first, second = read(GOOD, other), read(other, GOOD)
    assert {case.digest for case in first.cases} == {case.digest for case in second.cases}
    assert read(GOOD).cases[0].digest == read({**GOOD, "tags": ["new"], "weight": 3}).cases[0].digest
    for change in ({"prompt": "3 + 3?"}, {"expected": "5"}, {"segment": {"a": "b"}}):
        assert read({**GOOD, **change}).cases[0].digest != read(GOOD).cases[0].digest
