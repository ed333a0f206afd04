"""What lies beside a log: settings that the product reads, the planted truth, a README that says simulated."""

import json

import pytest

from undertow.adapters.simulated.notes import STORIES, readme_text, settings_text, truth_of, write_notes
from undertow.config.load import load_settings
from undertow.simulation.incidents import INCIDENTS, SUPPORT


@pytest.mark.parametrize("p", INCIDENTS.values(), ids=INCIDENTS)
def test_the_settings_are_read_by_the_product(p, tmp_path):
    write_notes(p, tmp_path, seed=1, written={})
    settings = load_settings(tmp_path / "undertow.toml", {}).settings
    assert settings.tier_order == ("cheap", "capable")
    assert settings.outcomes[p.early_name].usd == pytest.approx(p.early_usd * p.scale)
    assert settings.outcomes[p.late_name].maturity_days == p.late_window_days
    prices = settings.tiers["cheap"].prices
    assert prices.input_usd_per_mtok == pytest.approx(p.capable_input_usd_per_mtok * p.cheap_price_ratio * p.scale)


def test_the_truth_names_onset_tier_and_segment(tmp_path):
    write_notes(SUPPORT, tmp_path, seed=7, written={"decisions": 5})
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert truth["simulated"] is True
    assert (truth["onset"], truth["tier"], truth["worst_segment"]) == (
        "2026-02-16T00:00:00Z",
        "cheap",
        {"intent": "billing"},
    )
    assert truth["parameters"]["cheap_fail_hidden"] == 0.9
    assert truth["seed"] == 7
    assert truth["true_loss_at_end"][0]["loss"] == pytest.approx(0.18)


@pytest.mark.parametrize("p", INCIDENTS.values(), ids=INCIDENTS)
def test_the_healthy_truth_has_nothing_planted(p):
    truth = truth_of(p.made_healthy(), seed=1, written={})
    assert [truth[key] for key in ("onset", "cause", "tier", "worst_segment")] == [None] * 4
    assert "false alarm" in readme_text(p.made_healthy(), seed=1, written={})


@pytest.mark.parametrize("p", INCIDENTS.values(), ids=INCIDENTS)
def test_the_readme_says_that_it_is_simulated_and_what_was_planted(p):
    text = readme_text(p, seed=1, written={"decisions": 1234567})
    assert "simulated" in text
    assert p.target_intent in text
    assert STORIES[p.incident] in text
    assert "1,234,567 decisions" in text


def test_money_is_scaled_by_what_a_request_stands_for():
    assert "usd = 100 " in settings_text(SUPPORT)  # 5 USD, twenty requests behind each logged one
