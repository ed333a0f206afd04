import msgspec
import pytest

from undertow.records.serving import (
    SCHEMA,
    AlertsPlan,
    EndpointPlan,
    KeyPlan,
    PolicyPlan,
    ServingPlan,
    StorePlan,
    TierPlan,
    TokenPrices,
    decode_plan,
    encode_plan,
)

PRICES = TokenPrices(
    input_usd=1e-6, cached_usd=1e-7, cache_write_usd=1e-6, audio_input_usd=2e-6, output_usd=4e-6, audio_output_usd=8e-6
)
PLAN = ServingPlan(
    tiers=(
        TierPlan(name="cheap", model="small", endpoints=(EndpointPlan(base_url="http://a/v1"),), prices=(PRICES,)),
        TierPlan(
            name="capable",
            model="large",
            endpoints=(EndpointPlan(base_url="https://b/v1", kind="anthropic", api_key_env="KEY"),),
            parameters={"temperature": 0.2, "stop": ["a", None], "nested": {"b": True}},
            context_tokens=200_000,
        ),
    ),
    policies=(PolicyPlan(name="auto", version="v1", kind="split", tiers=("cheap", "capable"), shares={"cheap": 0.5}),),
    keys=(KeyPlan(name="team", key_id="k1", sha256="0" * 64, labels={"team": "größe"}),),
    store=StorePlan(path="/data", keeps_text=True),
)


def test_a_plan_comes_back_as_it_was():
    assert decode_plan(encode_plan(PLAN)) == PLAN


def test_a_plan_of_another_version_is_refused_by_name():
    other = msgspec.structs.replace(PLAN, schema="undertow.plan/9")
    with pytest.raises(msgspec.ValidationError, match=rf"undertow\.plan/9.*{SCHEMA}"):
        decode_plan(encode_plan(other))


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        encode_plan(PLAN)[:-5],
        encode_plan(PLAN).replace(b'"split"', b'"lottery"'),
        encode_plan(PLAN).replace(b'"share":0.05', b'"share":"a lot"'),
    ],
)
def test_what_is_no_plan_is_refused(document):
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        decode_plan(document)


def test_somebody_is_told_where_a_channel_is_named():
    assert not AlertsPlan(dead_man_url_env="D", link_url="https://x").is_anybody_told
    for named in ({"slack_url_env": "S"}, {"pagerduty_key_env": "P"}, {"alertmanager_url": "https://a"}, {"webhook_url": "https://w"}, {"email_to": ("a@b",)}):  # fmt: skip
        assert AlertsPlan(**named).is_anybody_told
