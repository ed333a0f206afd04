import pytest

from undertow.config.problems import dotted, is_secretive, near, unknown_variable


@pytest.mark.parametrize(
    "name", ["api_key", "api_key_env", "Authorization", "slack_url_env", "base_url", "PASSWORD", "x-api-key"]
)
def test_names_that_may_hold_secrets(name):
    assert is_secretive(name)


@pytest.mark.parametrize("name", ["margin", "cheap_max_input_tokens", "models", "temperature", "email_to"])
def test_names_that_hold_none(name):
    assert not is_secretive(name)


def test_the_nearest_word_is_named_else_all_of_them():
    assert near("CASCAD", ["cascade", "fixed"]) == "did you mean 'cascade'?"
    assert near("zzz", ["a", "b"]) == "known: 'a', 'b'"
    assert near("zzz", []) == "nothing can be set here"


def test_paths_are_written_as_people_write_them():
    assert dotted(("tiers", "a", "models", 2)) == "tiers.a.models[2]"
    assert dotted(()) == ""


def test_a_variable_of_a_named_table_is_compared_with_the_settings_of_that_table():
    hint = unknown_variable("UNDERTOW_OUTCOMES__CHURN__USB", ("outcomes", "churn", "usb"))
    assert hint.endswith("did you mean UNDERTOW_OUTCOMES__CHURN__USD?")
    assert "did you mean" not in unknown_variable("UNDERTOW_QQQQ", ("qqqq",))
