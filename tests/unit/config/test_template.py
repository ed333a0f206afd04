import re
import tomllib

from undertow.config.shape import all_settings
from undertow.config.template import settings_file


def test_every_setting_stands_in_the_file_with_its_default():
    text = settings_file()
    for header, _, group in all_settings():
        if header == "policies.NAME":
            continue
        named = {
            "tiers.NAME": "tiers.cheap",
            "outcomes.NAME": "outcomes.ticket",
            "sources.NAME": "sources.tickets",
            "keys.NAME": "keys.web",
        }
        name = named.get(header, header)
        _, section = re.split(rf"^#?\[{re.escape(name)}\]$", text, maxsplit=1, flags=re.MULTILINE)
        for setting in group:
            has_none = setting.default in {None, "[]", "{}"}
            value = setting.example if has_none else setting.default
            assert f"#{setting.path.rsplit('.', 1)[1]} = {value}" in section, setting.path


def test_tiers_that_are_given_are_set_in_order():
    tiers = tomllib.loads(settings_file({"a b": ("m1",), "c": ("m2", 'q"')}))["tiers"]
    assert tiers == {"a b": {"models": ["m1"], "rank": 0}, "c": {"models": ["m2", 'q"'], "rank": 1}}


def test_no_line_is_longer_than_an_editor_shows():
    assert max(map(len, settings_file().splitlines())) <= 120
