"""Tables of real outcomes: the facts measured of them, which part is usual, and clear errors."""

import numpy as np
import pytest

from undertow.adapters.replay.tables import TABLES, _mix
from undertow.errors import LogError


@pytest.mark.shared
@pytest.mark.parametrize("name", TABLES)
def test_real_tables_have_both_tiers_and_a_mix_to_shift(shared_dir, name):
    table = TABLES[name](shared_dir / "data")
    n = len(table.segment)
    assert table.value.shape == (n, 2)
    assert set(np.unique(table.value)) <= {0.0, 1.0}
    assert table.eligible.any()
    assert (table.usual & table.eligible).any()
    assert (table.shifted & table.eligible).any()
    assert (table.segment < len(table.segments)).all()
    assert (table.output_tokens >= 0).all()
    assert table.prompts is None  # third-party texts never reach a log
    if table.provider_value is None:
        assert not (table.usual & table.shifted).any()
        assert table.loss(table.shifted & table.eligible) > 2 * table.loss(table.usual & table.eligible)


@pytest.mark.shared
def test_mixtral_and_gpt4_are_as_measured(shared_dir):
    table = TABLES["mmlu_routellm"](shared_dir / "data")
    assert len(table.segment) == 14_042
    assert table.value.mean(axis=0) == pytest.approx([0.681, 0.806], abs=0.0006)
    assert {table.segments[c] for c in np.unique(table.segment[table.shifted])} == {"moral_scenarios"}
    assert table.loss(table.shifted) == pytest.approx(0.379, abs=0.0006)
    suspect = table.segment == table.segments.index("high_school_mathematics")
    assert table.value[suspect, 1].mean() == pytest.approx(0.030, abs=0.001)
    assert table.usual[suspect].all()


@pytest.mark.shared
def test_llama_8b_and_70b_are_as_measured(shared_dir):
    table = TABLES["mmlu_pro_models"](shared_dir / "data")
    assert table.value.mean(axis=0) == pytest.approx([0.442, 0.628], abs=0.001)
    agreeing = table.value[table.eligible, 0].mean()
    assert agreeing > table.value[~table.eligible, 0].mean() + 0.2  # the agreement of other models is a real confidence


@pytest.mark.shared
def test_gpt4_falls_between_its_snapshots(shared_dir):
    table = TABLES["llmdrift"](shared_dir / "data")
    assert table.value[:, 1].mean() == pytest.approx(0.840, abs=0.001)
    assert table.provider_value.mean() == pytest.approx(0.502, abs=0.001)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(LogError, match=r"mmlu_routellm\.parquet.*--data"):
        TABLES["mmlu_routellm"](tmp_path)


def test_a_file_that_is_no_table_is_told_in_one_line(tmp_path):
    (tmp_path / "mmlu_routellm.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(LogError, match="cannot read") as caught:
        TABLES["mmlu_routellm"](tmp_path)
    assert "\n" not in str(caught.value)


def test_the_mix_leaves_excluded_prompts_out_of_both_parts():
    codes = np.repeat([0, 1, 2], 100)
    value = np.column_stack([np.repeat([1.0, 0.0, 0.0], 100), np.ones(300)])
    eligible = np.ones(300, dtype=bool)
    usual, shifted = _mix(codes, value, eligible, usual_share=0.5, shifted_segments=1, excluded=codes == 2)
    assert (usual == (codes == 0)).all()
    assert (shifted == (codes == 1)).all()
