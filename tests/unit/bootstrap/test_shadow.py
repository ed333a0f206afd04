import msgspec
import pytest

from shadow_requests import serving_plan
from undertow.bootstrap.shadow import background_limits, build_shadow
from undertow.errors import ConfigError
from undertow.records.serving import LimitsPlan

URL = "http://127.0.0.1:1/v1"


def test_nothing_is_built_where_no_second_answers_are_wanted_or_possible(tmp_path):
    plan = serving_plan(tmp_path, URL)
    assert build_shadow(msgspec.structs.replace(plan, tiers=plan.tiers[:1]), {}) is None
    assert build_shadow(serving_plan(tmp_path, URL, share=0.0), {}) is None


def test_it_opens_nothing_and_knows_whether_there_is_a_price(tmp_path):
    assert build_shadow(serving_plan(tmp_path / "store", URL), {}).is_priced
    assert not build_shadow(serving_plan(tmp_path / "store", URL, prices=()), {}).is_priced
    assert not (tmp_path / "store").exists()


def test_a_key_that_is_not_there_is_told_by_its_name(tmp_path):
    plan = serving_plan(tmp_path, URL)
    endpoint = msgspec.structs.replace(plan.tiers[1].endpoints[0], api_key_env="CAPABLE_KEY")
    capable = msgspec.structs.replace(plan.tiers[1], endpoints=(endpoint,))
    with pytest.raises(ConfigError, match="CAPABLE_KEY"):
        build_shadow(msgspec.structs.replace(plan, tiers=(plan.tiers[0], capable)), {})


def test_background_calls_ask_for_less():
    limits = background_limits(LimitsPlan(max_retries=0, connections_per_upstream=2), 4)
    assert (limits.max_retries, limits.connections_per_upstream, limits.max_answer_bytes) == (0, 2, 4_000_000)
    assert limits.total_timeout_s == LimitsPlan().total_timeout_s
