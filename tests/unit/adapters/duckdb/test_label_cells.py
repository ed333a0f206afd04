"""Strata of inclusion probability; the sums themselves are compared with a plain count in test_source."""

from pathlib import Path

import numpy as np

from undertow.ports.audit_source import CellOptions
from undertow.records.cells import LabelCells
from unit.adapters.duckdb.logs import decision, read, signal, write_jsonl


def labels(tmp_path: Path, probabilities: list[float], **values: object) -> LabelCells:
    log = write_jsonl(tmp_path / "d.jsonl", [decision(i) for i in range(len(probabilities))])
    signals = [signal(i, inclusion_probability=p, **values) for i, p in enumerate(probabilities)]
    options = CellOptions(max_strata=3)
    cells = read(log, signals=(str(write_jsonl(tmp_path / "s.jsonl", signals)),), options=options).labels
    return cells.take(cells.segment == 0)


def test_stratum_0_is_the_most_heavily_sampled(tmp_path: Path) -> None:
    cells = labels(tmp_path, [0.02, 0.5, 0.5, 0.02])
    assert cells.stratum.tolist() == [0, 1]
    assert cells.weight_max.tolist() == [2.0, 50.0]
    assert cells.n.tolist() == [2.0, 2.0]


def test_nearly_equal_probabilities_are_one_stratum(tmp_path: Path) -> None:
    cells = labels(tmp_path, [0.5, 0.48, 0.1])
    assert cells.n.tolist() == [2.0, 1.0]
    assert cells.weight_max[0] == 1 / 0.48


def test_no_more_strata_than_asked_for(tmp_path: Path) -> None:
    cells = labels(tmp_path, [2.0**-i for i in range(10)])
    # Three are kept apart; the others, each drawn at another rate, are counted together.
    assert cells.stratum.tolist() == [0, 1, 2, 3]
    assert cells.n.tolist() == [1.0, 1.0, 1.0, 7.0]
    np.testing.assert_allclose(cells.weight.sum(), sum(2.0**i for i in range(10)))


def test_a_census_has_weight_one_whatever_is_written(tmp_path: Path) -> None:
    cells = labels(tmp_path, [0.5, 0.1], selection="census")
    assert cells.weight.tolist() == [2.0]
    assert cells.stratum.tolist() == [0]


def test_named_strata_keep_their_names_whatever_their_probabilities(tmp_path: Path) -> None:
    log = write_jsonl(tmp_path / "d.jsonl", [decision(i, segment={"intent": "billing"}) for i in range(5)])
    drawn = [("common", 0.5), ("tail", 0.1), ("tail+intent=billing", 0.9), ("tail+intent=gone", 0.9), ("common+", 0.3)]
    signals = [signal(i, inclusion_probability=p, stratum=name) for i, (name, p) in enumerate(drawn)]
    found = read(log, signals=(str(write_jsonl(tmp_path / "s.jsonl", signals)),))
    assert found.strata == {0: ("tail", "common")}
    cells = found.labels
    whole = cells.take(cells.segment == 0)
    code = int(cells.segment.max())
    found = {(int(s), int(e)): n for s, e, n in zip(whole.stratum, whole.steered, whole.n, strict=True)}
    # Tail first; steered to billing (its code), to a segment that nothing bears (-1), and to the whole tier, which is no steering.
    assert found == {(0, 0): 1.0, (0, code): 1.0, (0, -1): 1.0, (1, 0): 2.0}


def test_labels_that_name_no_stratum_are_in_none_of_the_named_ones(tmp_path: Path) -> None:
    log = write_jsonl(tmp_path / "d.jsonl", [decision(i) for i in range(4)])
    drawn = [("tail", 0.5), ("whole", 0.01), (None, 0.9), (None, 0.1)]
    signals = [
        signal(i, inclusion_probability=p) | ({} if name is None else {"stratum": name})
        for i, (name, p) in enumerate(drawn)
    ]
    found = read(log, signals=(str(write_jsonl(tmp_path / "s.jsonl", signals)),))
    assert found.strata == {0: ("tail", "whole")}
    assert sorted(found.labels.stratum[found.labels.segment == 0].tolist()) == [0, 1, 2, 3]


def test_what_is_not_kept_apart_is_named_counted_and_told(tmp_path: Path) -> None:
    log = write_jsonl(tmp_path / "d.jsonl", [decision(i) for i in range(6)])
    drawn = ["common", "tail", "common@2", "tail@2", "tail@2", None]
    signals = [
        signal(i, hours=1.0 + i, inclusion_probability=0.5) | ({} if name is None else {"stratum": name})
        for i, name in enumerate(drawn)
    ]
    signal_file = (str(write_jsonl(tmp_path / "s.jsonl", signals)),)
    found = read(log, signals=signal_file, options=CellOptions(max_named_strata=2))
    # The first two that came are kept, so that labels yet to come move nothing; the tail of the next design is not the tail's.
    assert found.strata == {0: ("tail", "common")}
    whole = found.labels.take(found.labels.segment == 0)
    assert dict(zip(whole.stratum.tolist(), whole.n.tolist(), strict=True)) == {0: 1.0, 1: 1.0, 2: 1.0, 3: 3.0}
    assert found.merged == {0: 3}
    assert any(
        note.startswith("review.accuracy: 3 labels lie in more sampling strata") for note in found.coverage.notes
    )
    apart = read(log, signals=signal_file)
    assert apart.strata == {0: ("tail", "tail@2", "common", "common@2")}
    assert apart.merged == {}
    assert not any("sampling strata" in note for note in apart.coverage.notes)


def test_classes_of_probability_beyond_the_most_are_named_too(tmp_path: Path) -> None:
    log = write_jsonl(tmp_path / "d.jsonl", [decision(i) for i in range(4)])
    signals = [signal(i, inclusion_probability=2.0**-i) for i in range(4)]
    found = read(log, signals=(str(write_jsonl(tmp_path / "s.jsonl", signals)),), options=CellOptions(max_strata=2))
    assert found.merged == {0: 2}


def test_a_pair_counts_by_the_probability_of_the_pair_and_its_value_by_that_of_the_review(tmp_path: Path) -> None:
    """Half of billing is reviewed and a tenth of that has a second answer; of the rest a tenth is reviewed, with both answers."""
    log = write_jsonl(tmp_path / "d.jsonl", [decision(i) for i in range(4)])
    signals = [
        signal(0, value=0.0, inclusion_probability=0.5, reference_value=1.0, pair_probability=0.05),
        signal(1, value=0.0, inclusion_probability=0.5),
        signal(2, value=1.0, inclusion_probability=0.1, reference_value=1.0),
        # A pair is seen no oftener than its decision is reviewed.
        signal(3, value=1.0, inclusion_probability=0.1, reference_value=1.0, pair_probability=0.9),
    ]
    cells = read(log, signals=(str(write_jsonl(tmp_path / "s.jsonl", signals)),)).labels
    whole = cells.take(cells.segment == 0)
    np.testing.assert_allclose(whole.weight.sum(), 2.0 + 2.0 + 10.0 + 10.0)
    np.testing.assert_allclose(whole.weighted_failures.sum(), 4.0)
    np.testing.assert_allclose(whole.pair_weight.sum(), 20.0 + 10.0 + 10.0)
    np.testing.assert_allclose(whole.weighted_loss.sum(), 20.0)
    np.testing.assert_allclose(whole.pair_weight_max.max(), 20.0)
    np.testing.assert_allclose(whole.weight_max.max(), 10.0)


def test_a_probability_of_a_pair_that_cannot_be_sets_its_row_aside(tmp_path: Path) -> None:
    log = write_jsonl(tmp_path / "d.jsonl", [decision(0), decision(1)])
    signals = [signal(0, reference_value=1.0, pair_probability=1.5), signal(1, reference_value=1.0)]
    found = read(log, signals=(str(write_jsonl(tmp_path / "s.jsonl", signals)),))
    assert found.coverage.reasons == {"out_of_range_pair_probability": 1}
    assert found.labels.n[found.labels.segment == 0].sum() == 1.0
