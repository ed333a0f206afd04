from review_factory import vote
from undertow.adapters.reviews.row_cache import RowCache
from undertow.adapters.store.row_log import VOTES, RowLog, read_rows
from undertow.records.watched import Vote


def ids(cache):
    return [row.vote_id for row in cache.read()[0]]


def test_rows_are_those_of_the_log_at_every_moment(tmp_path):
    cache = RowCache(tmp_path / VOTES, Vote)
    assert cache.read() == ((), 0)
    one, two = RowLog(tmp_path, VOTES, "w0"), RowLog(tmp_path, VOTES, "w1")
    for log in (one, two, one):
        log.append(vote("d"))
        assert ids(cache) == [row.vote_id for row in read_rows(tmp_path, VOTES, Vote).rows]
    one.close()
    assert len(ids(cache)) == 3
    assert ids(cache) == [row.vote_id for row in read_rows(tmp_path, VOTES, Vote).rows]
    two.close()
    for path in (tmp_path / VOTES).iterdir():
        path.unlink()
    assert cache.read() == ((), 0)


def test_only_what_has_changed_is_read_again(tmp_path):
    log = RowLog(tmp_path, VOTES, "w0")
    log.append(vote("d"))
    log.close()
    cache = RowCache(tmp_path / VOTES, Vote)
    (before,) = cache.read()[0]
    (path,) = (tmp_path / VOTES).iterdir()
    path.write_bytes(b"x" * path.stat().st_size)
    assert cache.read()[0][0] is before


def test_lines_that_are_none_are_counted_and_an_unended_one_waits(tmp_path):
    log = RowLog(tmp_path, VOTES, "w0")
    log.append(vote("d"))
    (path,) = (tmp_path / VOTES).iterdir()
    with path.open("ab") as file:
        file.write(b'{]\n{"vote_id":"half')
    rows, broken = RowCache(tmp_path / VOTES, Vote).read()
    assert (len(rows), broken) == (1, 1)
    log.close()
