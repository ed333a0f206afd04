"""The benchmark of prediction-powered estimates on real votes: its entries, and that it stays quiet where the tables are not there."""

import sys

import pytest


@pytest.fixture
def bench(project_dir, monkeypatch):
    monkeypatch.syspath_prepend(str(project_dir / "benchmarks"))
    from detection import anchored_votes

    yield anchored_votes
    for name in [name for name in sys.modules if name == "detection" or name.startswith("detection.")]:
        del sys.modules[name]


class Entries:
    def __init__(self):
        self.rows = []

    def add(self, *given):
        self.rows.append(given)


def test_without_the_tables_it_says_so_and_adds_nothing(bench, tmp_path, capsys):
    entries = Entries()
    bench.bench(entries, quick=True, data=tmp_path)
    assert entries.rows == []
    assert "skipped" in capsys.readouterr().out


@pytest.mark.shared
def test_the_votes_are_those_of_the_table(bench, shared_dir):
    judges = {votes.judge: votes for votes in bench.load_votes(shared_dir / "data")}
    assert len(judges) == 29
    panda = judges["gpt-3.5-turbo"]
    assert len(panda.worse) == 999
    assert set(panda.said.tolist()) <= {0.0, 0.5, 1.0}
    assert (panda.said == 0.5).sum() >= 25  # the verdicts that are missing


@pytest.mark.shared
def test_the_interval_holds_and_a_good_judge_narrows_it(bench, shared_dir):
    import numpy as np

    judges = {votes.judge: votes for votes in bench.load_votes(shared_dir / "data")}
    found = bench.measure(judges["GPT-4/Metrics_Reference"], 100, 200, "resampled", np.random.default_rng(7))
    assert found.covered >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 200)
    assert found.width < 0.85 * found.alone
    useless = bench.measure(judges["ChatGPT/CoT"], 100, 200, "resampled", np.random.default_rng(7))
    assert useless.width < 1.03 * useless.alone
