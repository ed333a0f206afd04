import json
import multiprocessing
from pathlib import Path

import pytest

from undertow.adapters.store.row_log import CALLS, RowLog
from undertow.adapters.store.watching_spend import StoreSpendBook
from undertow.records.runtime_files import WATCHING_SPEND
from undertow.records.watched import WatchingCall

NOON = 1_772_366_400.0  # 2026-03-01T12:00:00Z
DAY = "2026-03-01"


def book(root, at=NOON):
    return StoreSpendBook(root, clock=lambda: at)


def write_calls(root, *calls):
    log = RowLog(root, CALLS, "keeper")
    for at, purpose, cost, status in calls:
        log.append(WatchingCall(decision_id="d", at=at, purpose=purpose, tier="capable", cost_usd=cost, status=status))
    log.close()


def test_sums_outlive_the_process(tmp_path):
    book(tmp_path).add("shadow", 0.25)
    book(tmp_path).add("judge", 0.5, unpriced=2)
    assert book(tmp_path).add("shadow", 0.5) == book(tmp_path).read("shadow")
    assert book(tmp_path).read("shadow").usd == 0.75
    assert book(tmp_path).read("judge").unpriced == 2


def test_a_new_day_begins_at_nothing_and_the_old_one_takes_no_more(tmp_path):
    book(tmp_path).add("shadow", 0.25)
    tomorrow = book(tmp_path, NOON + 86_400)
    assert tomorrow.read("shadow").usd == 0.0
    tomorrow.add("shadow", 0.125)
    assert tomorrow.add("shadow", -0.25, day=DAY).usd == 0.125


@pytest.mark.parametrize(
    "content",
    [None, b"", b"{", b"[]", b'{"day": 3}', b'{"schema":"x","day":"2026-03-01"}', b"\xff", b'{"day":"2099-01-01"}',
     b'{"day":"2026-03-01","purposes":{"shadow":{"usd":-1}}}'],
)  # fmt: skip
def test_a_file_that_is_lost_or_cannot_be_right_is_made_again_from_the_calls(tmp_path, content):
    write_calls(
        tmp_path,
        ("2026-03-01T01:00:00.000Z", "shadow", 0.2, "ok"),
        ("2026-03-01T02:00:00.000Z", "shadow", 0.4, "ok"),
        ("2026-03-01T03:00:00.000Z", "shadow", None, "timeout"),
        ("2026-03-01T03:00:00.000Z", "shadow", None, "http_503"),
        ("2026-03-01T03:00:00.000Z", "shadow", None, "budget"),
        ("2026-02-28T23:59:59.999Z", "shadow", 9.0, "ok"),
        ("2026-03-01T03:00:00.000Z", "judge", None, "ok"),
    )
    path = tmp_path / WATCHING_SPEND
    path.parent.mkdir(exist_ok=True)
    if content is not None:
        path.write_bytes(content)
    assert book(tmp_path).read("shadow").usd == pytest.approx(0.2 + 0.4 + 0.3)  # the time-out at the mean
    assert (book(tmp_path).read("judge").usd, book(tmp_path).read("judge").unpriced) == (0.0, 1)
    assert book(tmp_path).add("shadow", 0.1).usd == pytest.approx(1.0)
    assert json.loads(path.read_bytes())["day"] == DAY


def test_a_sum_does_not_fall_below_nothing(tmp_path):
    assert book(tmp_path).add("shadow", -1.0).usd == 0.0


def add_many(root):
    for _ in range(50):
        StoreSpendBook(Path(root), clock=lambda: NOON).add("shadow", 0.01)


def test_processes_do_not_overwrite_each_other(tmp_path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=add_many, args=(str(tmp_path),)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert book(tmp_path).read("shadow").usd == pytest.approx(1.5)
