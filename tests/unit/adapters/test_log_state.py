"""Whether a log has changed is told by its files alone."""

import os

from undertow.adapters.log_state import log_state


def test_every_change_of_a_file_is_seen(tmp_path):
    (tmp_path / "decisions").mkdir()
    file = tmp_path / "decisions" / "a.jsonl"
    states = [log_state([str(tmp_path)])]
    file.write_text("1\n")
    states.append(log_state([str(tmp_path)]))
    file.write_text("1\n2\n")
    states.append(log_state([str(tmp_path)]))
    os.utime(file, ns=(1, 1))
    states.append(log_state([str(tmp_path)]))
    file.rename(tmp_path / "decisions" / "b.jsonl")
    states.append(log_state([str(tmp_path)]))
    assert len(set(states)) == len(states)
    assert log_state([str(tmp_path)]) == states[-1]


def test_what_a_gateway_remembers_is_no_change_of_its_log(tmp_path):
    for folder in ("decisions", "state"):
        (tmp_path / folder).mkdir()
    before = log_state([str(tmp_path)])
    (tmp_path / "state" / "guard.json").write_text("{}")
    assert log_state([str(tmp_path)]) == before
    (tmp_path / "signals").mkdir()
    (tmp_path / "signals" / "s.jsonl").write_text("1\n")
    assert log_state([str(tmp_path)]) != before


def test_single_files_and_several_inputs(tmp_path):
    one, two = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    one.write_text("1")
    two.write_text("2")
    assert log_state([str(one)]) != log_state([str(one), str(two)])
