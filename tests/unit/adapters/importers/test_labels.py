import pytest

from undertow.adapters.importers.labels import labels, tag_labels, tier_label


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("session_id", "a"), ("traceId", "a"), ("email", "x"), ("api_key", "x"), ("customer", "someone@example.com"), ("build", "0a1b2c3d4e5f6a7b"),
        ("where", "https://example.com"), ("n", "123456"), ("when", "2026-08-01"), ("note", "x" * 65), ("note", "two\nlines"), ("", "x"), ("ref", "9f8c1a2b-1111-2222-3333-444455556666"),
    ],
)  # fmt: skip
def test_ids_addresses_times_and_long_text_are_no_labels(key, value):
    assert labels({key: value}) == {}


def test_labels_pass():
    given = {
        "intent": "billing",
        "language": "de",
        "plan": "free",
        "model-size": "8b",
        "beta": False,
        "count": 3,
        "nested": {"a": "b"},
    }
    assert labels(given) == {"intent": "billing", "language": "de", "plan": "free", "model-size": "8b", "beta": "false"}


def test_tags():
    assert tag_labels(["support", "intent:billing", "team=blue", 5, "session_id:77", "User-Agent: curl"]) == {
        "tag.support": "yes",
        "intent": "billing",
        "team": "blue",
    }


def test_a_customers_plan_is_not_taken_for_the_routing_tier():
    assert tier_label({"tier": "enterprise"}) is None
    assert tier_label({"tier": "enterprise"}, {"enterprise"}) == "enterprise"
    assert tier_label({"tier": "capable"}) == "capable"
    assert tier_label({"undertow.tier": "anything"}) == "anything"
