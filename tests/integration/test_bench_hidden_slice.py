"""The benchmark of hidden slices, on the texts of the simulated incidents: a hidden intent is found, by runs that are the same each time."""

import sys

import pytest


@pytest.fixture(scope="module")
def bench(project_dir):
    sys.path.insert(0, str(project_dir / "benchmarks"))
    from detection import hidden_slice

    yield hidden_slice
    sys.path.remove(str(project_dir / "benchmarks"))
    for name in [name for name in sys.modules if name == "detection" or name.startswith("detection.")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def corpus(bench):
    return bench.simulated_corpus()


def test_a_hidden_intent_is_found_from_its_texts(bench, corpus):
    hidden = corpus.intents.index("support: hidden in billing")
    found = bench.one_run(corpus, hidden, "rate", 1, encoded=False)
    assert set(found) == {"labelled", "hidden"}
    assert 0 <= found["labelled"].named <= 15
    assert 0 <= found["hidden"].alarm <= found["hidden"].named <= 20
    assert found["hidden"].precision >= 0.5
    assert found["hidden"].name
    assert bench.one_run(corpus, hidden, "rate", 1, encoded=False) == found


def test_labels_are_drawn_as_said(bench, corpus):
    drawn = bench.draw(corpus, 3, "share", 60, bench.np.random.default_rng(1))
    before, after = drawn.day < bench.CHANGE_DAY, drawn.day >= bench.CHANGE_DAY
    assert drawn.hidden[before].mean() == pytest.approx(0.02, abs=0.01)
    assert drawn.hidden[after].mean() == pytest.approx(0.08, abs=0.02)
    assert drawn.flag[drawn.hidden].mean() == pytest.approx(0.9 * 0.5 + 0.1 * 0.02, abs=0.08)
    early = drawn.day < bench.BASELINE_DAYS
    assert corpus.is_early[drawn.text[early]].all()
    assert not corpus.is_early[drawn.text[~early]].any()
