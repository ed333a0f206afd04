import multiprocessing
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from judge_factory import NOON, pair, write_pairs
from undertow.adapters.judges.book import JudgeBook, advanced, read_anchors
from undertow.errors import ConfigError
from undertow.records.judged import AnchorResult, JudgeState


def at(days):
    return (NOON + timedelta(days=days)).isoformat().replace("+00:00", "Z")


def names(waiting):
    return [one.decision_id for one in waiting.pairs]


def test_all_pairs_wait_at_first_in_the_order_of_their_answers_each_once(tmp_path):
    write_pairs(tmp_path, [pair(3), pair(1), pair(2), pair(1)])
    book = JudgeBook(tmp_path)
    assert names(book.waiting(book.state())) == ["d1", "d2", "d3"]


def test_what_is_done_waits_no_more_and_what_comes_late_still_does(tmp_path):
    write_pairs(tmp_path, [pair(1, answered_at=at(0.9)), pair(2, answered_at=at(1)), pair(3, answered_at=at(-0.5))])
    book = JudgeBook(tmp_path)
    book.write(advanced(book.state(), [pair(2, answered_at=at(1))], {"wins": 1}, (), NOON + timedelta(days=1)))
    # d1 was written after a later one, by a clock that is behind; d3 is older than any clock should be.
    assert names(book.waiting(book.state())) == ["d1"]


def test_a_pair_that_could_not_be_judged_waits_however_old_it_is(tmp_path):
    write_pairs(tmp_path, [pair(1, answered_at=at(0)), pair(2, answered_at=at(3))])
    book = JudgeBook(tmp_path)
    later = NOON + timedelta(days=3)
    state = advanced(advanced(JudgeState(), (), {}, ("d1",), NOON), [pair(2, answered_at=at(3))], {}, (), later)
    assert names(book.waiting(state)) == ["d1"]
    assert state.failed == {"d1": 1}
    done = advanced(state, [pair(1, answered_at=at(0))], {"failed": 1}, (), NOON)
    assert done.failed == {}
    assert names(book.waiting(done)) == []


def test_names_of_old_pairs_are_forgotten(tmp_path):
    state = advanced(JudgeState(), [pair(1, answered_at=at(0))], {}, (), NOON)
    state = advanced(state, [pair(2, answered_at=at(30))], {}, (), NOON + timedelta(days=30))
    assert list(state.done) == ["d2"]


def test_a_clock_that_was_ahead_for_a_while_hides_no_pair_and_none_is_judged_again_and_again(tmp_path):
    book = JudgeBook(tmp_path)
    ahead = pair(1, answered_at=at(400))
    write_pairs(tmp_path, [ahead, pair(2)])
    book.write(advanced(book.state(), [ahead], {"wins": 1}, (), NOON + timedelta(days=400)))
    state = book.state()
    assert names(book.waiting(state, NOON)) == ["d2"]
    state = advanced(state, [pair(2)], {"wins": 1}, (), NOON)
    assert names(book.waiting(state, NOON)) == []
    write_pairs(tmp_path, [pair(3)])
    assert names(book.waiting(state, NOON)) == ["d3"]


def test_counts_add_up_and_those_of_the_day_begin_anew(tmp_path):
    state = advanced(JudgeState(), (), {"wins": 2}, (), NOON)
    state = advanced(state, (), {"wins": 1, "ties": 1}, (), NOON + timedelta(hours=1))
    assert state.today == {"wins": 3, "ties": 1}
    state = advanced(state, (), {"losses": 1}, (), NOON + timedelta(days=1))
    assert (state.today, state.counts) == ({"losses": 1}, {"wins": 3, "ties": 1, "losses": 1})


@pytest.mark.parametrize(
    "content",
    [b"{", b"\xff", b'{"schema": "other/1"}', b'{"schema": "undertow.judge-state/1", "until": "soon"}', b"[]"],
)
def test_a_state_that_is_none_of_ours_is_refused_with_what_to_do(tmp_path, content):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "judge.json").write_bytes(content)
    with pytest.raises(ConfigError, match="remove it"):
        JudgeBook(tmp_path).state()


def test_lines_that_are_no_pair_are_counted(tmp_path):
    write_pairs(tmp_path, [pair(1), pair(2, answered_at="yesterday")])
    segment = next((tmp_path / "pairs").iterdir())
    segment.write_bytes(b'{"decision_id": 7}\n\xff\xfe\n' + segment.read_bytes())
    found = JudgeBook(tmp_path).waiting(JudgeState())
    assert (names(found), found.broken) == (["d1"], 3)


def test_one_process_at_a_time(tmp_path):
    with JudgeBook(tmp_path).locked() as first, JudgeBook(tmp_path).locked() as second:
        assert (first, second) == (True, False)


def test_the_salt_is_that_of_the_store(tmp_path):
    book = JudgeBook(tmp_path)
    assert book.salt() == "undertow"
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "sampling.json").write_bytes(b'{"schema": "undertow.sampling/1", "salt": "mine"}')
    assert book.salt() == "mine"
    (tmp_path / "state" / "sampling.json").write_bytes(b"\xff")
    assert book.salt() == "undertow"


def test_results_are_kept_in_order_and_broken_lines_are_left(tmp_path):
    book = JudgeBook(tmp_path)
    assert book.results() == []
    results = [
        AnchorResult(anchor_id=str(n), at=at(n), judge="j", version="v", human="A", verdict="A") for n in range(3)
    ]
    book.add_results(results[:2])
    file = tmp_path / "state" / "anchors.jsonl"
    file.write_bytes(file.read_bytes() + b"\xff\nnot json\n")
    book.add_results(results[2:])
    assert book.results() == results


def add_ten(root, process):
    for n in range(10):
        result = AnchorResult(anchor_id=f"{process}-{n}", at=at(n), judge="j", version="v", human="A", verdict="A")
        JudgeBook(Path(root)).add_results([result])


def test_processes_lose_none_of_each_others_results(tmp_path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=add_ten, args=(str(tmp_path), process)) for process in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    found = sorted(result.anchor_id for result in JudgeBook(tmp_path).results())
    assert found == sorted(f"{process}-{n}" for process in range(3) for n in range(10))


def anchors(tmp_path, *lines):
    path = tmp_path / "anchors.jsonl"
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else msgspec.json.encode(line) for line in lines))
    return read_anchors(path)


ONE = {"request": "r", "answer_a": "a", "answer_b": "b", "human": "A"}


def test_anchors_are_read_and_repeated_ones_count_once(tmp_path):
    found = anchors(tmp_path, ONE, b"", ONE | {"request": "r2", "segment": {"intent": "fraud"}, "extra": 1}, ONE)
    assert [anchor.request for anchor in found] == ["r", "r2"]
    assert found[1].segment == {"intent": "fraud"}


@pytest.mark.parametrize("line", [b"\xff\xfe", b"{", ONE | {"human": "a"}, {"request": "secret"}, b"[]"])
def test_a_line_that_is_no_anchor_is_named_and_not_quoted(tmp_path, line):
    with pytest.raises(ConfigError, match=r"anchors\.jsonl:2: this is no anchor") as raised:
        anchors(tmp_path, ONE, line)
    assert "secret" not in str(raised.value)


def test_people_who_contradict_themselves_are_told_where(tmp_path):
    with pytest.raises(ConfigError, match="line 1 has the same pair with A"):
        anchors(tmp_path, ONE, ONE | {"human": "B"})


def test_no_anchors_and_no_file(tmp_path):
    with pytest.raises(ConfigError, match="no anchors in it"):
        anchors(tmp_path, b"")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_anchors(tmp_path / "gone.jsonl")
