import dataclasses

import pytest

from undertow.adapters.importers import ImportOptions


def test_options_are_frozen_and_have_safe_defaults():
    options = ImportOptions()
    assert (options.timezone, dict(options.tier_models), options.mapping) == (None, {}, None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.timezone = "UTC"
