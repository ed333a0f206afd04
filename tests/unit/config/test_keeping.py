import pytest
from pydantic import ValidationError

from undertow.config.keeping import AlertsSettings, PassthroughSettings, RetentionSettings, StoreSettings


def test_text_is_not_kept_by_default():
    assert RetentionSettings().text_days == 0
    assert RetentionSettings().text_sketch is False


def test_nothing_is_sent_anywhere_by_default():
    assert PassthroughSettings().base_url is None
    assert all(
        value in (None, ())
        for name, value in AlertsSettings()
        if name not in {"repeat_hours", "email_from", "allow_internal", "pagerduty_url"}  # called with a key alone
    )


@pytest.mark.parametrize(
    ("section", "values"),
    [
        (StoreSettings, {"path": ""}),
        (StoreSettings, {"id_key_env": "not a name"}),
        (StoreSettings, {"segment_mb": 0.0}),
        (PassthroughSettings, {"ca_file": "a\nb"}),
        (RetentionSettings, {"redact": "os.system"}),
        (RetentionSettings, {"text_days": -1.0}),
        (AlertsSettings, {"email_to": ("nobody",)}),
        (AlertsSettings, {"webhook_url": "javascript:alert(1)"}),
        (AlertsSettings, {"repeat_hours": 0.0}),
    ],
)
def test_wrong_values_are_refused(section, values):
    with pytest.raises(ValidationError):
        section(**values)
