import json
from datetime import date

import pytest

from review_factory import sampled, write_texts
from undertow.bootstrap.reviewing import batch_rules, open_day_log, open_desk, review_rules
from undertow.config.keeping import RetentionSettings
from undertow.config.settings import Settings
from undertow.config.tiers import TierSettings
from undertow.config.watching import ReviewSettings
from undertow.ports.audit_source import silent

SETTINGS = Settings(
    review=ReviewSettings(
        per_day=50, raters=2, name="tone", stakes={"intent=fraud": 3.0}, rubrics={"intent=fraud": "Sent on?"}
    ),
    retention=RetentionSettings(sampled_text_days=7),
    tiers={"small": TierSettings(rank=0), "big": TierSettings(rank=1)},
)


def test_rules_are_those_of_the_settings():
    rules = review_rules(SETTINGS)
    assert (rules.per_day, rules.raters, rules.name, rules.text_days) == (50, 2, "tone", 7.0)
    assert rules.rubrics == {"intent=fraud": "Sent on?"}


def test_the_last_tier_is_the_capable_one():
    rules = batch_rules(SETTINGS)
    assert (rules.per_day, rules.capable, rules.stakes) == (50, "big", {"intent=fraud": 3.0})
    assert batch_rules(SETTINGS, 7).per_day == 7
    assert batch_rules(Settings()).capable == "capable"


def test_a_desk_closes_what_it_opened(tmp_path):
    write_texts(tmp_path, sampled("d"))
    with open_desk(tmp_path, review_rules(SETTINGS)) as (desk, _):
        assert desk.rules.name == "tone"
    assert not list(tmp_path.glob("votes/*.open"))


@pytest.mark.parametrize("name", ["undertow", "litellm"])
def test_a_day_log_of_our_own_or_of_another_gateway(tmp_path, name, shared_dir):
    source = tmp_path / "log.jsonl"
    if name == "undertow":
        source.write_text(
            json.dumps({"decision_id": "d", "event_time": "2026-03-01T12:00:00Z", "tier": "cheap"}) + "\n"
        )
    else:
        source = shared_dir / "samples" / "litellm" / "spend_logs_rows.litellm-1.109.1.json"
    with open_day_log(tmp_path / "store", (str(source),), "auto", Settings(), texts=None, progress=silent) as log:
        assert log.read(date(2026, 3, 1) if name == "undertow" else date(2026, 11, 22), None).candidates
