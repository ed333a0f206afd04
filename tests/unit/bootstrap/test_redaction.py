import pytest

from undertow.bootstrap.redaction import redaction_hook
from undertow.errors import ConfigError


def test_no_name_is_no_hook():
    assert redaction_hook(None) is None


@pytest.mark.parametrize("name", ["no_such_module:clean", "textwrap:no_such_function"])
def test_a_hook_that_cannot_be_loaded_is_an_error_at_start(name):
    with pytest.raises(ConfigError, match=r"retention.redact: .* cannot be imported"):
        redaction_hook(name)
