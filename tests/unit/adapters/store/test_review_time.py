from undertow.adapters.store.review_time import MOST_SECONDS, review_time
from undertow.adapters.store.row_log import VOTES, RowLog
from undertow.records.watched import Vote

DAY = 86_400


def votes(folder, *rows):
    log = RowLog(folder, VOTES, "a")
    log.append(*(Vote(vote_id=str(i), decision_id="d", rater="ana", **row) for i, row in enumerate(rows)))
    log.close()


def test_time_is_summed_by_day_and_a_screen_left_open_counts_half_an_hour(tmp_path):
    votes(
        tmp_path,
        {"at": "1970-01-02T00:00:00Z", "seconds": 30},
        {"at": "1970-01-02T23:59:59Z"},
        {"at": "1970-01-03T00:00:00Z", "seconds": 1e9},
        {"at": "1970-01-03T00:00:00Z", "seconds": -5},
    )
    cells = review_time([tmp_path], DAY)
    assert cells.bucket.tolist() == [1, 2]
    assert (cells.votes.tolist(), cells.timed.tolist()) == ([2, 2], [1, 1])
    assert cells.seconds.tolist() == [30.0, MOST_SECONDS]


def test_broken_lines_count_nothing_and_no_votes_are_no_cells(tmp_path):
    assert len(review_time([tmp_path], DAY)) == 0
    votes(tmp_path, {"at": "yesterday"})
    [path] = [each for each in (tmp_path / VOTES).rglob("*") if each.is_file()]
    path.write_bytes(path.read_bytes() + b"[]\n{\n")
    assert len(review_time([tmp_path], DAY)) == 0
