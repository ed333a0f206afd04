from undertow.config.schema import schema_text, settings_schema, shipped_schema


def test_the_shipped_schema_is_current():
    assert shipped_schema() == schema_text(), "run .venv/bin/python scripts/reference.py"


def test_unknown_names_are_refused_by_the_schema_too():
    schema = settings_schema()
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) >= {"tiers", "policy", "monitors", "outcomes", "store"}
