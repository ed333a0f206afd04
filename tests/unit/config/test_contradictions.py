import json

import pytest

from undertow.config.contradictions import advice, contradictions, policies_of, tiers_that_judge
from undertow.config.settings import Settings

TIERS = {"cheap": {}, "capable": {}}


def settings(**sections) -> Settings:
    return Settings.model_validate_json(json.dumps(sections))


def key(key_id: str = "Hx3k9Qab", **values) -> dict:
    return {"id": key_id, "sha256": "0" * 64, **values}


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"tiers": TIERS, "keys": {"web": key(tiers=["chep"])}}, "keys.web.tiers names the tier 'chep'"),
        ({"keys": {"a": key(), "b": key()}}, "keys.b has the id of keys.a"),
        ({"policy": {"kind": "classifier", "method": "embedding"}}, "policy is a classifier of method 'embedding' without"),
        ({"tiers": TIERS, "policies": {"x": {"tiers": ["gold"]}}}, "policies.x.tiers names the tier 'gold'"),
        ({"tiers": {"a": {"rank": 1}, "b": {"rank": 1}}}, "two tiers have the same rank"),
        ({"alerts": {"email_to": ["a@x.org"]}}, "alerts.email_to is set, but alerts.smtp_url_env is not"),
        ({"alerts": {"webhook_secret_env": "S"}}, "alerts.webhook_secret_env is set, but alerts.webhook_url is not"),
        ({"alerts": {"alertmanager_url": "http://127.0.0.1:9093"}}, "alerts.alertmanager_url is an internal address"),
        ({"alerts": {"webhook_url": "http://localhost/x", "webhook_secret_env": "S"}}, "alerts.webhook_url is an internal"),
        ({"retention": {"text_sketch": True}}, "retention.text_sketch needs store.id_key_env"),
        ({"ui": {"roles": {"ada": "viewer"}}}, "ui.roles is set, but ui.user_header is not"),
        ({"ui": {"default_role": "viewer"}}, "ui.default_role is set, but ui.user_header is not"),
        ({"ui": {"user_header": "X-User", "public_hosts": ["u.example"]}}, "ui.trusted_proxies is not: no proxy's header would be believed"),
        ({"ui": {"user_header": "X-User", "trusted_proxies": ["10.0.0.5"]}}, "ui.public_hosts is not: a page elsewhere"),
    ],
)  # fmt: skip
def test_what_cannot_hold_together_is_found(sections, message):
    (found,) = contradictions(settings(**sections))
    assert message in found.message


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"tiers": TIERS, "keys": {"a": key(), "b": key("Hx3k9Qac", tiers=["cheap"])}},
        {"policy": {"kind": "classifier", "method": "rules"}},
        {"policy": {"kind": "classifier", "artefact": "x.json"}},
        {"retention": {"text_sketch": True}, "store": {"id_key_env": "ID_KEY"}},
    ],
)
def test_what_holds_together_is_let_be(sections):
    assert list(contradictions(settings(**sections))) == []


def test_alerts_that_are_unsigned_or_that_nobody_looks_for_are_pointed_out():
    unsigned = {"alerts": {"webhook_url": "https://x.example/h"}}
    assert [problem.path for problem in advice(settings(**unsigned))] == [("alerts", "webhook_url")]
    unwatched = {"alerts": {"slack_url_env": "S"}, "monitors": {"every_minutes": 0}}
    assert [problem.path for problem in advice(settings(**unwatched))] == [("monitors", "every_minutes")]
    assert list(advice(settings(alerts={"slack_url_env": "S"}))) == []
    assert [problem.path for problem in advice(settings(alerts={"smtp_url_env": "S"}))] == [("alerts", "smtp_url_env")]


def test_a_cascade_over_a_cheap_tier_without_log_probabilities_is_pointed_out():
    claude = {"kind": "anthropic"}
    assert len(list(advice(settings(tiers={"cheap": claude, "capable": {}})))) == 1
    assert list(advice(settings(tiers={"cheap": {}, "capable": claude}))) == []
    assert list(advice(settings(tiers={"cheap": claude, "capable": {}}, policy={"kind": "fixed"}))) == []
    mixed = {"endpoints": [{"base_url": "http://h/v1", "kind": "anthropic"}, {"base_url": "http://i/v1"}]}
    assert list(advice(settings(tiers={"cheap": mixed, "capable": {}}))) == []


def test_rules_that_send_nothing_to_the_cheap_tier_are_pointed_out():
    rules = {"kind": "classifier", "method": "rules"}
    assert len(list(advice(settings(policies={"x": rules})))) == 1
    assert list(advice(settings(policies={"x": {**rules, "cheap_segments": ["intent=faq"]}}))) == []


def test_the_policy_behind_auto_comes_first():
    found = settings(policies={"b": {"kind": "fixed"}, "a": {}})
    assert [path for path, _ in policies_of(found)] == [("policy",), ("policies", "b"), ("policies", "a")]


def test_a_judge_that_is_a_tier_itself_is_advised_against():
    both = {"cheap": {"model": "small"}, "capable": {"model": "large"}}
    judge = {"model": "small", "base_url": "http://127.0.0.1:9003/v1"}
    given = settings(tiers=both, judge=judge)
    (found,) = advice(given)
    assert "models favour their own answers" in found.message
    assert found.path == ("judge", "model")
    assert tiers_that_judge(given) == ("cheap",)
    assert list(advice(settings(tiers=both, judge=judge | {"model": "another"}))) == []
    assert tiers_that_judge(settings(tiers=TIERS)) == ()


def test_a_proxy_whose_users_have_no_role_is_hardly_meant():
    ui = {"user_header": "X-User", "trusted_proxies": ["10.0.0.5"], "public_hosts": ["u.example"]}
    assert "nobody whom the proxy names" in next(advice(settings(ui=ui))).message
    assert not list(advice(settings(ui={**ui, "default_role": "viewer"})))
