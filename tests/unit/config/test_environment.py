import pytest

from undertow.config.environment import path_of, setting_variables, value_of


def test_settings_are_told_from_reserved_injected_and_named_variables():
    env = dict.fromkeys(
        [
            "UNDERTOW_B",
            "UNDERTOW_A__B",
            "UNDERTOW_DEBUG",
            "UNDERTOW_SERVICE_PORT_HTTP",
            "UNDERTOW_PORT_80_TCP",
            "UNDERTOW_KEY",
            "PATH",
        ],
        "x",
    )
    assert [name for name, _ in setting_variables(env, frozenset({"UNDERTOW_KEY"}))] == ["UNDERTOW_A__B", "UNDERTOW_B"]


@pytest.mark.parametrize(
    ("name", "known", "path"),
    [
        ("UNDERTOW_MONITORS__SEGMENT_MARGIN", {}, ("monitors", "segment_margin")),
        ("UNDERTOW_TIERS__SIMPLE__MODEL", {"tiers": {"Simple": {}}}, ("tiers", "Simple", "model")),
        ("UNDERTOW_TIERS__NEW__MODEL", {"tiers": {"Simple": {}}}, ("tiers", "new", "model")),
        ("UNDERTOW_TIERS__A__B", {"tiers": "no table"}, ("tiers", "a", "b")),
    ],
)
def test_names_are_spelt_as_in_the_file(name, known, path):
    assert path_of(name, known) == path


@pytest.mark.parametrize(
    ("text", "is_text", "value"),
    [
        ("true", False, True),
        ("true", True, "true"),
        ("[1, 2]", False, [1, 2]),
        ("1 # x\ny = 2", False, "1 # x\ny = 2"),
        ("", False, ""),
        ("{a = 1}", False, {"a": 1}),
        ("9" * 5_000, False, "9" * 5_000),
        ("[" * 50_000, False, "[" * 50_000),
    ],
)
def test_values_are_toml_where_the_setting_is_no_text(text, is_text, value):
    assert value_of(text, is_text=is_text) == value
