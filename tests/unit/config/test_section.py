import pytest
from pydantic import TypeAdapter, ValidationError

from undertow.config.section import Name, Section, SegmentLabel, Url, VariableName


def accepts(annotation, value) -> bool:
    try:
        TypeAdapter(annotation).validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("name", ["cheap", "SIMPLE", "gpt-4.1:mini", "small tier", "günstig", "a/b"])
def test_names_of_foreign_logs_are_accepted(name):
    assert accepts(Name, name)


@pytest.mark.parametrize("name", ["", " a", "a ", "a\nb", "a\x00b", "\x7f", "x" * 129])
def test_names_that_would_break_a_line_are_refused(name):
    assert not accepts(Name, name)


@pytest.mark.parametrize("value", ["sk-123", "a b", "", "1A", "A=B"])
def test_a_pasted_key_is_no_name_of_a_variable(value):
    assert not accepts(VariableName, value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9001/v1", "https://api.example.org", "http://[::1]:80/v1"])
def test_addresses(url):
    assert accepts(Url, url)


@pytest.mark.parametrize(
    "url", ["ftp://a", "a.org", "http://u:p@a", "http://a/v1?key=1", "http://a b", "http://", "file:///etc/passwd"]
)
def test_addresses_with_secrets_or_of_other_kinds_are_refused(url):
    assert not accepts(Url, url)


def test_labels_are_key_and_value():
    assert accepts(SegmentLabel, "intent=fraud case")
    assert not any(accepts(SegmentLabel, label) for label in ("fraud", "=x", "a=", " a=b"))


def test_sections_are_closed_strict_and_finite():
    class Example(Section):
        share: float = 0.5

    assert Example(share=1).share == 1
    for wrong in ({"share": "0.5"}, {"share": True}, {"share": float("nan")}, {"other": 1}):
        with pytest.raises(ValidationError):
            Example(**wrong)
