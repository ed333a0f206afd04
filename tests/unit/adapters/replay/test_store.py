"""A replay as a store: real quality in the labels, notes that say what is real, the same bytes for a seed."""

import json

import duckdb
import pytest

from undertow.adapters.replay.recording import read_recording
from undertow.adapters.replay.store import write_replay
from undertow.config.load import load_settings
from undertow.errors import UsageError
from undertow.simulation.arrival import ArrivalPlan

PLAN = ArrivalPlan(queries_per_day=80, pre_weeks=1, weeks=5, shift_week=3, users=100)


@pytest.fixture(scope="module")
def table(project_dir):
    return read_recording(project_dir / "examples" / "recorded-support" / "answers.jsonl")


@pytest.fixture(scope="module")
def store(table, tmp_path_factory):
    out = tmp_path_factory.mktemp("replay") / "log"
    assert write_replay(table, PLAN, out, seed=2) == 80 * 42
    return out


def rows(store, query):
    with duckdb.connect() as connection:
        for name in ("decisions", "signals"):
            files = str(store / name / "**" / "*.parquet")
            connection.execute(
                f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{files}', hive_partitioning = false)"
            )
        return connection.execute(query).fetchall()


def test_labels_are_the_real_grades_of_the_served_answer(store, table):
    real = {
        (prompt, tier): value[i]
        for prompt, value in zip(table.prompts, table.value.tolist(), strict=True)
        for i, tier in enumerate(("cheap", "capable"))
    }
    got = rows(store, "SELECT prompt, tier, value, source FROM decisions JOIN signals USING (decision_id)")
    assert len(got) > 3_000
    assert all(real[prompt, tier] == value for prompt, tier, value, _ in got)
    assert {source for *_, source in got} == {"exact:rule"}


def test_the_constrained_intent_is_never_served_cheaply(store):
    got = rows(
        store, "SELECT count(*) FROM decisions WHERE segment['intent'] = 'product' AND (tier = 'cheap' OR eligible)"
    )
    assert got == [(0,)]


def test_the_notes_say_what_is_real(store):
    truth = json.loads((store / "truth.json").read_text())
    assert (truth["simulated"], truth["arrival"]) == (False, "scripted")
    assert truth["shift_from"] == "2026-01-26T00:00:00Z"
    assert truth["real_loss_shifted"] > 0.3 > truth["real_loss_usual"]
    text = (store / "README.md").read_text()
    assert "Real outcomes, scripted arrival" in text
    assert "Assumed" in text


def test_the_settings_are_read_by_the_product(store, table):
    settings = load_settings(store / "undertow.toml", {}).settings
    assert settings.tier_order == ("cheap", "capable")
    assert settings.monitors.margin == table.margin


def test_the_same_seed_writes_the_same_rows(store, table, tmp_path):
    write_replay(table, PLAN, tmp_path / "again", seed=2)
    everything = "SELECT md5(string_agg(CAST(d AS VARCHAR), '' ORDER BY decision_id)) FROM decisions d"
    assert rows(store, everything) == rows(tmp_path / "again", everything)


def test_sampled_labels_carry_their_probability(table, tmp_path):
    plan = ArrivalPlan(queries_per_day=50, pre_weeks=0, weeks=2, shift_week=1, users=50, label_share=0.5)
    write_replay(table, plan, tmp_path / "log")
    assert rows(tmp_path / "log", "SELECT DISTINCT selection, inclusion_probability FROM signals") == [("sampled", 0.5)]


def test_a_folder_in_use_is_refused(store, table):
    with pytest.raises(UsageError, match="not empty"):
        write_replay(table, PLAN, store)
