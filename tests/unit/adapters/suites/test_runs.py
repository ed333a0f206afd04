import pytest

from suite_runs import result, run
from undertow.adapters.suites.runs import StoreRuns
from undertow.errors import LogError


def made(number, suite="s", **given):
    found = run([result(1, "cheap", 1.0, segment={"a": "b"}), result(1, "capable", None)])
    head = {"run_id": f"20260301T12000{number:04d}Z-00ff{number:02d}", "suite": suite, **given}
    import msgspec

    return msgspec.structs.replace(found, run=msgspec.structs.replace(found.run, **head))


def ids(runs):
    return [int(found.run.run_id[-2:]) for found in runs]


def test_a_run_is_read_as_it_was_written(tmp_path):
    book = StoreRuns(tmp_path)
    book.add(made(1))
    assert book.runs("s", 9) == [made(1)]


def test_runs_come_oldest_first_whatever_order_they_were_added_in(tmp_path):
    book = StoreRuns(tmp_path)
    for number in (3, 1, 2):
        book.add(made(number))
    assert ids(book.runs("s", 9)) == [1, 2, 3]
    assert ids(book.runs("s", 9, until=made(2).run.run_id)) == [1, 2]


def test_of_too_many_the_first_and_the_last_ones_are_kept(tmp_path):
    book = StoreRuns(tmp_path)
    for number in range(10):
        book.add(made(number))
    assert ids(book.runs("s", 5)) == [0, 1, 7, 8, 9]


def test_a_baseline_begins_anew(tmp_path):
    book = StoreRuns(tmp_path)
    for number in range(4):
        book.add(made(number, is_baseline=number == 2))
    assert ids(book.runs("s", 9)) == [2, 3]
    assert ids(book.runs("s", 9, until=made(1).run.run_id)) == [0, 1]


def test_suites_have_folders_of_their_own_and_never_leave_the_store(tmp_path):
    book = StoreRuns(tmp_path / "store")
    for name in ("a", "../../b", "..", "über/c"):
        book.add(made(1, suite=name))
    assert len(book.suites()) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    assert book.runs("../../b", 9)[0].run.suite == "../../b"


def test_what_is_not_there_or_damaged_is_said(tmp_path):
    book = StoreRuns(tmp_path)
    assert (book.suites(), book.runs("s", 9)) == ([], [])
    with pytest.raises(LogError, match="no id of a run"):
        book.read("s", "../x")
    with pytest.raises(LogError, match="has no run"):
        book.read("s", made(1).run.run_id)
    book.add(made(1))
    path = next((tmp_path / "suites" / "s").glob("*.jsonl"))
    path.write_bytes(b"{}\n")
    with pytest.raises(LogError, match="damaged; remove it"):
        book.runs("s", 9)
