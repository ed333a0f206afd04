"""Pulling: rows are settled against what is known, and a place counts as read once all of it is kept."""

from datetime import timedelta

import pytest

from outcome_factory import NOW, files_plan, stamp
from undertow.adapters.outcomes.book import StoreOutcomes
from undertow.errors import ConfigError, DataError, LogError
from undertow.ports.outcomes import Place, StillWritten
from undertow.records.outcome import OutcomeRow, SourceState
from undertow.services.outcomes import OVERLAP, PullRun, alone, is_due, pull


def row(number, identity=None, **columns):
    given = {
        "signal_id": str(identity or number),
        "event_time": stamp(number),
        "user_id": "u1",
        "kind": "outcome",
        "name": "ticket",
        "value": 1.0,
    }
    return OutcomeRow(number, str(number), given | columns)


class Source:
    """Places that the test gives; an error in the place of rows is raised when it is read."""

    def __init__(self, *places, error=None):
        self.given, self.error, self.since = places, error, []

    def places(self, since):
        self.since.append(since)
        for place in self.given:
            yield place if len(place) == 2 else Place(place[0], place[1], self._rows(place[2]))
        if self.error is not None:
            raise self.error

    def _rows(self, batches):
        for batch in batches:
            if isinstance(batch, Exception):
                raise batch
            yield batch


class Signals:
    """A log that counts; it fails where it is told to."""

    def __init__(self):
        self.kept, self.synced, self.fails = [], 0, False

    def add(self, signals):
        if self.fails:
            raise OSError("no space left")
        self.kept += signals
        return (True,) * len(signals)

    def sync(self):
        self.synced = len(self.kept)


@pytest.fixture
def book(tmp_path):
    with StoreOutcomes(tmp_path) as found:
        yield found


@pytest.fixture
def signals():
    return Signals()


def run(source, book, signals, *, at=NOW, again=False, **plan):
    return pull(files_plan("/drops", **plan), source, book, signals, PullRun(at, again=again))


def test_a_pull_is_counted_and_a_second_one_writes_nothing(book, signals):
    source = Source(("a.csv", "1", [[row(1), row(2)], [row(3), row(1), row(4, value=-1)]]))
    first = run(source, book, signals)
    assert (first.places, first.read, first.accepted, first.duplicates, dict(first.set_aside)) == (
        1,
        5,
        3,
        1,
        {"negative_value": 1},
    )
    assert signals.synced == len(signals.kept) == 3
    second = run(source, book, signals)
    assert (second.places, second.unchanged, second.read, second.accepted) == (0, 1, 0, 0)
    third = run(source, book, signals, again=True)
    assert (third.read, third.accepted, third.duplicates) == (5, 0, 4)
    assert len(signals.kept) == 3
    state = book.state("crm")
    assert (state.pulls, state.read, state.accepted, state.duplicates) == (3, 10, 3, 5)
    assert state.last_event == stamp(3)


def test_the_same_row_twice_in_one_batch_in_two_versions(book, signals):
    done = run(
        Source(
            (
                "a.csv",
                "1",
                [[row(1, "x"), row(2, "x", event_time=stamp(1), value=2.0), row(3, "x", event_time=stamp(1), value=0)]],
            )
        ),
        book,
        signals,
    )
    assert (done.accepted, done.corrected, done.deleted) == (1, 1, 1)
    assert [(kept.value, kept.revision, kept.deleted) for kept in signals.kept] == [
        (1.0, None, None),
        (2.0, 1, None),
        (2.0, 2, True),
    ]


def test_rows_of_one_id_in_two_sources_are_two_outcomes(book, signals):
    for name in ("crm", "billing"):
        assert run(Source(("a.csv", "1", [[row(1)]])), book, signals, name=name).accepted == 1
    assert [kept.signal_id for kept in signals.kept] == ["crm/1", "billing/1"]


@pytest.mark.parametrize("error", [LogError("b.csv: is damaged"), ConfigError("b.csv: is damaged")])
def test_a_place_that_fails_stops_no_other_and_is_tried_again(book, signals, error):
    source = Source(("a.csv", "1", [[row(1)], error]), ("c.csv", "1", [[row(3)]]))
    done = run(source, book, signals)
    assert (done.places, done.accepted, dict(done.failed)) == (1, 2, {"a.csv": "b.csv: is damaged"})
    state = book.state("crm")
    assert (state.error, state.last_pull_at, state.tried_at) == ("b.csv: is damaged", None, "2026-05-01T12:00:00.000Z")
    again = run(source, book, signals)
    assert (again.unchanged, again.read, again.duplicates) == (1, 1, 1)
    mended = run(Source(("a.csv", "1", [[row(1), row(2)]])), book, signals)
    assert (mended.accepted, mended.duplicates, dict(mended.failed)) == (1, 1, {})
    assert book.state("crm").error is None


@pytest.mark.parametrize("error", [ValueError("s3cret"), TypeError("s3cret"), OverflowError("s3cret")])
def test_content_that_nobody_foresaw_stops_no_other_place(book, signals, error):
    done = run(Source(("a.csv", "1", [[row(1)], error]), ("c.csv", "1", [[row(3)]])), book, signals)
    assert (done.places, done.accepted) == (1, 2)
    assert dict(done.failed) == {"a.csv": f"a.csv: cannot be read ({type(error).__name__}); export it again"}


def test_a_source_that_cannot_be_listed_is_told(book, signals):
    assert dict(run(Source(error=LogError("/drops: there is no such folder")), book, signals).failed) == {
        "crm": "/drops: there is no such folder"
    }


def test_what_is_still_written_is_left_and_keeps_what_was_set_aside(book, signals):
    run(Source(("a.csv", "1", [[row(1, value=-1)]])), book, signals)
    done = run(Source(("a.csv", "2", [StillWritten("changed 1 s ago")]), ("b.csv", "is a link")), book, signals)
    assert dict(done.left) == {"a.csv": "changed 1 s ago", "b.csv": "is a link"}
    assert book.set_aside("crm") == {"negative_value": 1}
    assert book.seen("crm", "a.csv") == "1"


def test_a_place_that_is_read_anew_forgets_what_was_set_aside(book, signals):
    run(Source(("a.csv", "1", [[row(1, value=-1), row(2, value="x")]])), book, signals)
    done = run(Source(("a.csv", "2", [[row(1), row(2, value="x")]])), book, signals)
    assert book.set_aside("crm") == {"not_a_number": 1}
    assert done.rejects is not None
    assert run(Source(("a.csv", "3", [[row(1), row(2)]])), book, signals).rejects is None


def test_a_query_keeps_what_it_gave_and_asks_a_little_further_back(book, signals):
    source = Source(("query", None, [[row(1, value=-1)]]))
    run(source, book, signals)
    assert source.since == [None]
    other = Source(("query", None, [[row(2, value="x")]]))
    run(other, book, signals, at=NOW + timedelta(hours=1))
    assert other.since == [NOW - OVERLAP]
    assert book.set_aside("crm") == {"negative_value": 1, "not_a_number": 1}
    failing = Source(("query", None, [LogError("took too long")]))
    run(failing, book, signals, at=NOW + timedelta(hours=2))
    run(failing, book, signals, at=NOW + timedelta(hours=3))
    assert failing.since == [NOW + timedelta(hours=1) - OVERLAP] * 2
    run(failing, book, signals, again=True)
    assert failing.since[-1] is None


def test_what_could_not_be_written_is_not_known(book, signals):
    signals.fails = True
    source = Source(("a.csv", "1", [[row(1)]]))
    with pytest.raises(OSError, match="no space"):
        run(source, book, signals)
    signals.fails = False
    assert run(source, book, signals).accepted == 1


def test_one_pulls_at_a_time(tmp_path, book):
    with (
        alone(book),
        pytest.raises(DataError, match="another process is pulling"),
        StoreOutcomes(tmp_path) as other,
        alone(other),
    ):
        pass


@pytest.mark.parametrize(
    ("tried", "is_now"),
    [
        (None, True),
        (NOW - timedelta(minutes=59), False),
        (NOW - timedelta(minutes=60), True),
        (NOW + timedelta(days=1), True),
    ],
)
def test_a_source_is_due_by_its_minutes_whatever_the_clock_did(tried, is_now):
    state = SourceState(tried_at=None if tried is None else tried.isoformat())
    assert is_due(state, 60.0, NOW) is is_now


def test_a_place_with_too_many_rows_is_refused(book, signals, monkeypatch):
    monkeypatch.setattr("undertow.services.outcomes.MOST_ROWS", 1)
    done = run(Source(("a.csv", "1", [[row(1)], [row(2)]])), book, signals)
    assert "more than 1 rows" in done.failed["a.csv"]
