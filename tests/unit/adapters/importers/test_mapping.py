import pytest

from undertow.adapters.importers.mapping import parse_mapping, read_mapping
from undertow.errors import ConfigError


def test_the_whole_file(fixtures):
    mapping = read_mapping(fixtures / "plain.toml")
    assert mapping.columns["event_time"] == "ts"
    assert mapping.segments == {"intent": "topic"}
    assert mapping.tiers["cheap"] == ("gpt-4o-mini*",)
    assert mapping.signals["csat"].scale == (1.0, 5.0)
    assert mapping.signals["csat"].inclusion_probability == "p"
    assert mapping.cost_unit == "cents"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"column": {}}, "did you mean 'columns'"),
        ({"columns": {"evnt_time": "x"}}, "did you mean 'event_time'"),
        ({"columns": {"model": 3}}, "not the name of a column"),
        ({"columns": []}, "not a table"),
        ({"cost_unit": "cent"}, "did you mean 'cents'"),
        ({"time_unit": "minutes"}, "expected one of"),
        ({"tiers": {"cheap": [1]}}, "patterns"),
        ({"signals": {"x": {"kind": "raiting"}}}, "did you mean 'rating'"),
        ({"signals": {"x": {"scale": [1, 1]}}}, "worst, best"),
        ({"signals": {"x": {"values": {"good": 2}}}}, r"\[0, 1\]"),
        ({"signals": {"x": {"inclusion_probability": 0}}}, r"\(0, 1\]"),
        ({"signals": {"x": {"directon": "up"}}}, "did you mean 'direction'"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_nearest_choice(raw, words):
    with pytest.raises(ConfigError, match=words) as error:
        parse_mapping(raw, "map.toml")
    assert "map.toml" in str(error.value)


def test_missing_and_broken_files(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        read_mapping(tmp_path / "no.toml")
    for text in ("a = = 1", "a = " + "9" * 5_000, "a = " + "[" * 50_000):
        (tmp_path / "bad.toml").write_text(text)
        with pytest.raises(ConfigError, match="cannot be read as TOML"):
            read_mapping(tmp_path / "bad.toml")
