from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from undertow.adapters.store.compaction import compact
from undertow.adapters.store.length_ratios import measure_length_ratios, write_length_ratios
from undertow.adapters.store.log import StoreDecisionLog
from undertow.records.decision import DecisionRecord
from undertow.records.runtime_files import LENGTH_RATIOS, LengthRatios
from undertow.records.serving import StorePlan

NOW = datetime(2026, 3, 20, tzinfo=UTC)
TIERS = ("cheap", "capable")


def store(path, *groups):
    """Groups of (how many, fields)."""
    log = StoreDecisionLog(StorePlan(path=str(path)), "w0")
    i = 0
    for many, given in groups:
        for _ in range(many):
            known = {
                "decision_id": f"d{i}",
                "event_time": "2026-03-19T00:00:00.000Z",
                "arm": "treatment",
                "tier": "cheap",
                "eligible": True,
                "status": "ok",
                "output_tokens": 100,
                **given,
            }
            log.finish(DecisionRecord(**known))
            i += 1
    log.close()
    compact(path)


def ratios(path, tiers=TIERS):
    return measure_length_ratios(path, tiers, NOW).tiers


def test_the_ratio_is_that_of_mean_lengths(tmp_path):
    store(tmp_path, (40, {}), (40, {"arm": "holdout", "tier": "capable", "output_tokens": 150}))
    assert ratios(tmp_path) == {"cheap": {"": 1.5}}


def test_each_segment_with_enough_answers_has_its_own(tmp_path):
    billing, other = {"segment": {"intent": "billing"}}, {"segment": {"intent": "other"}}
    held = {"arm": "holdout", "tier": "capable"}
    store(
        tmp_path,
        (40, billing),
        (40, other | {"output_tokens": 50}),
        (40, billing | held | {"output_tokens": 300}),
        (29, other | held | {"output_tokens": 50}),
    )
    found = ratios(tmp_path)["cheap"]
    assert found["intent=billing"] == 3.0
    assert "intent=other" not in found
    assert found[""] == pytest.approx((40 * 300 + 29 * 50) / 69 / 75, abs=1e-4)


def test_a_policy_that_keeps_the_short_requests_does_not_inflate_the_baseline(tmp_path):
    """Half the requests are short (capable 100), half long (capable 500); the cascade serves the short ones cheaply at 80."""
    store(
        tmp_path,
        (50, {"output_tokens": 80}),
        (50, {"tier": "capable", "output_tokens": 500}),
        (50, {"arm": "holdout", "tier": "capable", "output_tokens": 100}),
        (50, {"arm": "holdout", "tier": "capable", "output_tokens": 500}),
    )
    assert ratios(tmp_path)["cheap"][""] == pytest.approx(100 / 80)


def test_a_third_tier_leaves_the_plain_ratio(tmp_path):
    store(
        tmp_path,
        (40, {}),
        (40, {"tier": "middle", "output_tokens": 120}),
        (40, {"arm": "holdout", "tier": "capable", "output_tokens": 240}),
    )
    assert ratios(tmp_path, ("cheap", "middle", "capable")) == {"cheap": {"": 2.4}, "middle": {"": 2.0}}


@pytest.mark.parametrize(
    "odd",
    [
        {"status": "fallback"},
        {"eligible": False},
        {"origin": "suite"},
        {"mode": "observe"},
        {"event_time": "2026-03-01T00:00:00.000Z"},
        {"output_tokens": None},
    ],
)
def test_what_is_no_whole_routed_live_answer_of_late_does_not_count(tmp_path, odd):
    held = {"arm": "holdout", "tier": "capable", "output_tokens": 150}
    strange = ({"output_tokens": 9_999, **odd}, {**held, "output_tokens": 1, **odd})
    store(tmp_path, (40, {}), (40, held), *((500, fields) for fields in strange))
    assert ratios(tmp_path) == {"cheap": {"": 1.5}}


def test_a_tier_that_serves_next_to_nothing_has_no_ratio(tmp_path):
    store(
        tmp_path,
        (35, {}),
        (500, {"tier": "capable", "output_tokens": 150}),
        (40, {"arm": "holdout", "tier": "capable", "output_tokens": 150}),
    )
    assert ratios(tmp_path) == {}


def test_without_a_log_or_a_second_tier_there_is_none(tmp_path):
    assert ratios(tmp_path) == {}
    store(tmp_path, (40, {}))
    assert ratios(tmp_path) == {}
    assert ratios(tmp_path, ("capable",)) == {}


def test_the_file_is_what_the_workers_read(tmp_path):
    measured = LengthRatios(at="2026-03-20T00:00:00.000Z", tiers={"cheap": {"": 1.5}})
    write_length_ratios(tmp_path, measured)
    document = (tmp_path / LENGTH_RATIOS).read_bytes()
    assert msgspec.json.decode(document, type=LengthRatios) == measured
    assert msgspec.json.decode(document)["schema"] == "undertow.length-ratios/1"


def test_the_measure_is_dated(tmp_path):
    at = measure_length_ratios(tmp_path, TIERS, NOW + timedelta(milliseconds=5)).at
    assert at == "2026-03-20T00:00:00.005Z"
