import json

import pytest
from pydantic import ValidationError

from undertow.config.settings import Settings


def order(**tiers):
    return Settings.model_validate_json(json.dumps({"tiers": tiers})).tier_order


def test_tiers_are_ordered_by_rank_by_custom_or_by_prices_else_by_the_log():
    assert order(b={"rank": 2}, a={"rank": 5}, c={"rank": 0}) == ("c", "b", "a")
    assert order(capable={}, cheap={}) == ("cheap", "capable")
    dear, low = ({"prices": {"input_usd_per_mtok": i, "output_usd_per_mtok": o}} for i, o in ((5, 15), (1, 2)))
    assert order(x=dear, y=low) == ("y", "x")
    assert order(x=dear, y={}) is None
    assert order(cheap={}) is None
    assert order() is None


def test_rank_comes_before_custom():
    assert order(cheap={"rank": 1}, capable={"rank": 0}) == ("capable", "cheap")


def test_margin_is_two_hundredths_unless_set():
    assert Settings().monitors_margin == 0.02
    assert Settings.model_validate({"monitors": {"margin": 0.05}}).monitors_margin == 0.05


def test_settings_cannot_change_after_loading():
    with pytest.raises(ValidationError):
        Settings().monitors.alpha = 0.5
