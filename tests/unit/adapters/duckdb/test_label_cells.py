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
    assert cells.stratum.tolist() == [0, 1, 2]
    assert cells.n.tolist() == [1.0, 1.0, 8.0]
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
