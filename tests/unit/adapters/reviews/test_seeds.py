import json

import pytest

from undertow.adapters.reviews.seeds import read_seeds
from undertow.errors import LogError
from undertow.records.review import SEED_PREFIX


def test_cases_and_what_is_none(tmp_path):
    rows = [
        {"prompt": "?", "answer": "!", "value": 0.0, "segment": {"intent": "fraud"}},
        {"prompt": "?", "answer": "!"},
        {"prompt": "??", "answer": "!", "value": "1", "reference_answer": "other"},
        {"prompt": "", "answer": "!"},
        {"prompt": "?", "value": 0},
        {"prompt": "?", "answer": "x", "value": 2},
        {"prompt": "?", "answer": "x", "value": "bad"},
        7,
    ]
    path = tmp_path / "seeds.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_seeds(path)
    one, two = found.seeds
    assert one.case_id.startswith(SEED_PREFIX)
    assert one.case_id != two.case_id
    assert (one.value, two.value, two.reference_answer) == (0.0, 1.0, "other")
    assert found.set_aside == {"no_text": 2, "no_value": 2, "not_an_object": 1}
    assert read_seeds(path).seeds == found.seeds


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(LogError, match="cannot be read"):
        read_seeds(tmp_path / "none.jsonl")
